"""Controls race beside the best trials, and tell how well the cheap scores rank."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cheap_job
import pytest
from cheap_job import RACE, CheapEvaluator, CheapRecipe
from scipy.stats import spearmanr
from test_trial_loop import fresh_job

from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult, Fidelity
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.race import contenders
from autoprune.jobs.ranking import rank_agreement, ranking_warning
from autoprune.jobs.summary import summarise_job
from autoprune.trials.records import FinalistRecord, TrialRecord, TrialResult

FAST = CheapRecipe(0.0)


class Reversing:
    """Scores longer the worse, the better the schedule scored shortly."""

    def __call__(self) -> Reversing:
        return self

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        short = CheapEvaluator(0.0).evaluate(
            EvaluationRequest(request.widths, cheap_job.FIDELITY, want_weights=request.want_weights)
        )
        assert short.score is not None
        score = 100 - short.score if request.fidelity == RACE else short.score
        return EvaluationResult(score, score, short.accuracy, 0.0, weights=short.weights)


def entrants(folder: Path, job: str) -> tuple[list[FinalistRecord], list[FinalistRecord]]:
    """Racers and controls."""
    found = cheap_job.open_store(folder).finalists(job)
    racers = [finalist for finalist in found if finalist.origin == "race"]
    return racers, [finalist for finalist in found if finalist.origin == "control"]


def test_controls_are_spread_over_the_ranking_below_the_racers(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "random", 40)
    cheap_job.drive(tmp_path, job, recipe=FAST)
    trials = cheap_job.open_store(tmp_path).trials(job)
    scores = {t.widths: t.result.score for t in trials if t.result}
    ranking = sorted(scores, key=scores.__getitem__)  # type: ignore[arg-type]
    racers, controls = entrants(tmp_path, job)
    rest = ranking[len(racers) :]
    places = [rest.index(control.widths) / len(rest) for control in controls]
    assert places == pytest.approx([0.25, 0.5, 0.75], abs=1 / len(rest))
    assert all(control.result and control.result.score for control in controls)
    assert all(control.widths == trials[control.trial].widths for control in controls)


@pytest.mark.parametrize(
    ("searcher", "trials", "expected"), [("uniform", 5, 0), ("random", 8, 0), ("random", 10, 2)]
)
def test_few_trials_leave_few_controls_or_none(
    tmp_path: Path, searcher: str, trials: int, expected: int
) -> None:
    job = fresh_job(tmp_path, searcher, trials)
    cheap_job.drive(tmp_path, job, recipe=FAST)
    _, controls = entrants(tmp_path, job)
    assert len(controls) == expected


def test_the_uniform_schedule_races_where_it_was_tried(tmp_path: Path) -> None:
    """Wherever the search ranks it: the solver tries it first."""
    job = fresh_job(tmp_path, "solver", 40)
    cheap_job.drive(tmp_path, job, recipe=FAST)
    trials = cheap_job.open_store(tmp_path).trials(job)
    uniform = next(trial.widths for trial in trials if trial.purpose == "candidate")
    racers, controls = entrants(tmp_path, job)
    assert uniform not in [racer.widths for racer in racers]
    assert uniform in [control.widths for control in controls]


@pytest.mark.parametrize(("searcher", "raced"), [("legr", 11), ("netadapt", 10)])
def test_the_rank_correlation_is_told_with_the_job(
    tmp_path: Path, searcher: str, raced: int
) -> None:
    job = fresh_job(tmp_path, searcher, 40)
    cheap_job.drive(tmp_path, job, recipe=FAST)
    store = cheap_job.open_store(tmp_path)
    trials = store.trials(job)
    racers, controls = entrants(tmp_path, job)
    short = [trials[f.trial].result.score for f in (*racers, *controls)]  # type: ignore[union-attr]
    long = [f.result.score for f in (*racers, *controls)]  # type: ignore[union-attr]
    assert summarise_job(store, job)["ranking"] == {
        "schedules": raced,
        "spearman": pytest.approx(spearmanr(short, long).statistic),
    }


def test_a_control_may_win_and_the_search_warns_of_scores_that_rank_badly(tmp_path: Path) -> None:
    job = fresh_job(tmp_path, "random", 30)
    said: list[tuple[str, dict[str, Any]]] = []
    cheap_job.drive(
        tmp_path,
        job,
        executor=InlineExecutor(Reversing()),
        progress=lambda kind, payload: said.append((kind, payload)),
    )
    _, controls = entrants(tmp_path, job)
    store = cheap_job.open_store(tmp_path)
    ladder = [f for f in store.finalists(job) if f.origin.startswith("ladder")]
    assert {rung.trial for rung in ladder} == {controls[-1].trial}
    assert summarise_job(store, job)["ranking"]["spearman"] == pytest.approx(-1.0)
    (warning,) = [payload["text"] for kind, payload in said if kind == "warning"]
    assert "rank correlation" in warning
    assert "--steps 2 (now 1)" in warning


def test_scores_that_rank_well_are_not_warned_of(tmp_path: Path) -> None:
    class Plain(Reversing):
        def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
            loss = sum((i + 1) / w for i, w in enumerate(request.widths.values()))
            score = loss + request.fidelity.steps
            return EvaluationResult(score, score, None, 0.0)

    job = fresh_job(tmp_path, "random", 30)
    said: list[str] = []
    cheap_job.drive(
        tmp_path,
        job,
        executor=InlineExecutor(Plain()),
        progress=lambda kind, payload: said.append(kind),
    )
    store = cheap_job.open_store(tmp_path)
    assert summarise_job(store, job)["ranking"]["spearman"] == pytest.approx(1.0)
    assert "finalist" in said
    assert "warning" not in said


def scored(
    short: list[float | None],
    long: list[float | None],
    origin: str = "race",
    race_key: Callable[[int], str] = "long {}".format,
) -> tuple[list[TrialRecord], list[FinalistRecord]]:
    """Trials with the scores ``short``, and one finalist of each with those of ``long``."""

    def result(score: float | None) -> TrialResult:
        return TrialResult(score, score, None, 1.0)

    trials = [
        TrialRecord(i, "candidate", (i,), None, {}, f"short {i}", "told", result(score))
        for i, score in enumerate(short)
    ]
    finalists = [
        FinalistRecord(i, origin, i, (i,), {}, race_key(i), result(score))
        for i, score in enumerate(long)
    ]
    return trials, finalists


@pytest.mark.parametrize(
    ("case", "schedules"),
    [
        (scored([1, 2, 3], [1, 2, 3]), 3),
        (scored([1, 2, 3, 4], [1, 2, 3, None]), 3),
        (scored([1, 1, 1, 1], [1, 2, 3, 4]), 4),
        (scored([1, 2, 3, 4], [5, 5, 5, 5]), 4),
        (scored([1, 2, 3, 4], [1, 2, 3, 4], origin="ladder 96%"), 0),
        (scored([1, 2, 3, 4], [1, 2, 3, 4], race_key="short {}".format), 0),
    ],
    ids=["three", "failed", "short ties", "long ties", "ladder", "the same score twice"],
)
def test_what_cannot_be_ranked_gives_no_figure(case: Any, schedules: int) -> None:
    assert rank_agreement(*case) == {"schedules": schedules, "spearman": None}


def test_racers_and_controls_count_alike() -> None:
    trials, racers = scored([1, 2, 3, 4], [10, 20, 40, 30])
    _, controls = scored([1, 2, 3, 4], [10, 20, 40, 30], origin="control")
    found = rank_agreement(trials, [*racers[:2], *controls[2:]])
    assert found == {"schedules": 4, "spearman": pytest.approx(0.8)}


def test_the_remedy_is_twice_what_a_trial_has_now() -> None:
    found = {"schedules": 8, "spearman": 0.214}
    warning = ranking_warning(found, Fidelity(steps=30, validation_images=500))
    assert "0.21" in warning
    assert "--steps 60 (now 30), or more images, --validation-images 1000 (now 500)" in warning
    assert "--validation-images" not in ranking_warning(found, Fidelity(steps=30))
    assert "--steps 30 (now 0)" in ranking_warning(found, Fidelity(steps=0))


def finalist(slot: int, origin: str) -> FinalistRecord:
    return FinalistRecord(slot, origin, slot, (slot,), {}, "", None)


def test_controls_that_lost_are_not_exported() -> None:
    """One that beat every racer is; rungs and racers always are."""
    origins = ["control", "ladder 98%", "race", "control", "race", "ladder 92%", "control"]
    ranking = [finalist(slot, origin) for slot, origin in enumerate(origins)]
    assert [found.slot for found in contenders(ranking)] == [0, 1, 2, 4, 5]
