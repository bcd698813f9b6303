"""TPE: a pure function of what it was told, over ratios that were really evaluated."""

import logging
import warnings

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from searchers import TPE, Outcome, SearcherError, make
from searchers.projection import widen
from searchers.testing import run, sample_problem, sample_score
from searchers.uniform import filled_uniform


def test_a_kept_study_proposes_what_a_rebuilt_one_does() -> None:
    """Also after failures, with suggestions pending and beyond the random start."""
    problem = sample_problem(trials=40)
    score = sample_score(problem)
    kept = TPE(problem, seed=1)
    run(kept, lambda s: score(s) if s.id % 5 else Outcome(None), tells=25)
    rebuilt = TPE(problem, seed=1)
    rebuilt.restore(kept.state())
    asks = [[searcher.ask().widths for _ in range(4)] for searcher in (kept, rebuilt)]
    assert asks[0] == asks[1]


def test_asks_between_tells_do_not_lie_to_the_estimator() -> None:
    """No running trial and no constant liar: a pending suggestion leaves no trace but itself."""
    problem = sample_problem(trials=40)
    searcher = TPE(problem, seed=1)
    run(searcher, sample_score(problem), tells=20)
    states = {trial.state for trial in searcher._study.trials}
    assert states == {TrialState.COMPLETE, TrialState.FAIL}
    assert sum(t.state == TrialState.COMPLETE for t in searcher._study.trials) == 20


def test_optuna_is_told_the_ratios_that_were_evaluated() -> None:
    problem = sample_problem(trials=8)
    searcher = TPE(problem, seed=0)
    told = run(searcher, sample_score(problem))
    complete = [t for t in searcher._study.trials if t.state == TrialState.COMPLETE]
    for trial, (suggestion, outcome) in zip(complete, told, strict=True):
        ratios = np.array(suggestion.widths) / problem.full
        assert list(trial.params.values()) == pytest.approx(ratios.tolist())
        assert trial.value == outcome.loss


def test_every_trial_uses_the_budget_up() -> None:
    """What is left of it is accuracy given away: no group could take its next width."""
    problem = sample_problem(trials=30)
    told = run(TPE(problem, seed=0), sample_score(problem))
    for suggestion, _ in told:
        assert problem.feasible(suggestion.widths)[0]
        assert widen(problem, suggestion.widths) == suggestion.widths


def test_cheap_groups_share_parameters_beyond_thirty() -> None:
    problem = sample_problem(groups=45, trials=12)
    searcher = TPE(problem, seed=0)
    told = run(searcher, sample_score(problem))
    assert len(searcher._space) == 30
    alone = np.repeat(problem.full[None, :], 45, axis=0)
    np.fill_diagonal(alone, problem.floor)
    saved = problem.loads(problem.full)[0] - problem.loads(alone)
    shared = searcher._parameter >= 24
    assert shared.sum() == 21
    assert saved[shared].max() <= saved[~shared].min() + 1e-12
    assert all(problem.feasible(suggestion.widths)[0] for suggestion, _ in told)


def test_the_first_trial_is_the_uniform_schedule_widened_to_the_budget() -> None:
    problem = sample_problem(trials=8)
    assert TPE(problem, seed=4).ask().widths == filled_uniform(problem)


def test_thirty_groups_have_a_parameter_each() -> None:
    assert len(TPE(sample_problem(groups=30))._space) == 30


def test_it_beats_random_search_at_eighty_trials() -> None:
    problem = sample_problem(groups=8, trials=80)
    score = sample_score(problem)

    def best(name: str) -> float:
        seeds = range(3)
        return float(
            np.median([min(o.loss for _, o in run(make(name, problem, s), score)) for s in seeds])
        )

    assert best("tpe") < 0.95 * best("random")


def test_optuna_stays_silent_and_keeps_its_own_settings(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = optuna.logging.get_verbosity()
    problem = sample_problem(trials=15)
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        run(TPE(problem), sample_score(problem))
    captured = capfd.readouterr()
    assert (captured.out, captured.err, caplog.text) == ("", "", "")
    assert optuna.logging.get_verbosity() == before


def test_startup_must_be_positive() -> None:
    with pytest.raises(SearcherError, match="startup must be at least 1"):
        TPE(sample_problem(), startup=0)
