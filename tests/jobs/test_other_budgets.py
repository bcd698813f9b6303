"""Schedules for other budgets from told trials alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from autoprune.errors import InputError, ReplayMismatchError
from autoprune.evaluation.contract import Metric
from autoprune.jobs.frontier import candidates, known_in, start_of
from autoprune.jobs.knowledge import Evaluated, Knowledge, replay
from autoprune.jobs.start import NOTHING, Start
from autoprune.trials.records import TrialRecord, TrialResult
from searchers.contract import MisuseError, Outcome, Problem, Suggestion
from searchers.legr import LeGR
from searchers.projection import widen
from searchers.registry import make
from searchers.solver import Solver
from searchers.testing import run, sample_problem, sample_score
from searchers.uniform import uniform_widths
from searchers.warm_start import WarmStart

WIDE, TIGHT = sample_problem(budget=0.5), sample_problem(budget=0.35)
METRIC = Metric()
Told = list[tuple[Suggestion, Outcome]]


@pytest.fixture(scope="module")
def told() -> Told:
    return run(LeGR(WIDE, seed=0), sample_score(WIDE))


def loss_of(problem: Problem, widths: Sequence[int]) -> float:
    return float(sample_score(problem)(Suggestion(0, tuple(widths))).loss or 0.0)


def knowledge_of(told: Told, *, probes: bool = False) -> Knowledge:
    def probed(widths: tuple[int, ...]) -> Outcome:
        return Outcome(0.001 + loss_of(WIDE, widths)) if probes else Outcome(None)

    return Knowledge("job", METRIC, evaluated(told), replay_all(told).ranking(), probed)


def evaluated(told: Told) -> tuple[Evaluated, ...]:
    return tuple(Evaluated(s.id, s.widths, float(o.loss or 0.0)) for s, o in told)


def records_of(told: Told, tells: int) -> list[TrialRecord]:
    return [
        TrialRecord(
            said.id,
            said.purpose,
            said.widths,
            said.start_from,
            {},
            "key",
            "told" if said.id < tells else "asked",
            TrialResult(outcome.loss, outcome.loss, outcome.accuracy, 1.0),
        )
        for said, outcome in told
    ]


def replay_all(told: Told) -> LeGR:
    searcher = LeGR(WIDE, seed=0)
    replay(searcher, records_of(told, len(told)), 4, METRIC)
    return searcher


@pytest.mark.parametrize("tells", [1, 10, 24])
def test_a_replayed_searcher_has_the_ranking_it_had(told: Told, tells: int) -> None:
    live = LeGR(WIDE, seed=0)
    run(live, sample_score(WIDE), tells=tells)
    again = LeGR(WIDE, seed=0)
    replay(again, records_of(told, tells), 4, METRIC)
    assert again.ranking() == live.ranking()


def test_a_warm_started_searcher_is_replayed_with_its_probes() -> None:
    live, again = (make("legr", WIDE, 0, warm_start="solver") for _ in range(2))
    told = run(live, sample_score(WIDE))
    replay(again, records_of(told, len(told)), 4, METRIC)
    assert isinstance(live, WarmStart)
    assert isinstance(again, WarmStart)
    assert isinstance(live.inner, LeGR)
    assert isinstance(again.inner, LeGR)
    assert again.inner.ranking() == live.inner.ranking()


def test_a_searcher_that_proposes_something_else_is_not_replayed(told: Told) -> None:
    with pytest.raises(ReplayMismatchError):
        replay(LeGR(WIDE, seed=1), records_of(told, 24), 4, METRIC)


@pytest.mark.parametrize("probes", [False, True])
@pytest.mark.parametrize("budget", [0.2, 0.35, 0.7])
def test_the_answer_fits_and_is_better_than_one_ratio_for_all(
    told: Told, budget: float, probes: bool
) -> None:
    problem = sample_problem(budget=budget)
    best = candidates(knowledge_of(told, probes=probes), problem)[0]
    assert problem.feasible(best.widths)[0]
    assert loss_of(problem, best.widths) < loss_of(problem, uniform_widths(problem).tolist())


def test_the_ranking_answers_beside_the_model(told: Told) -> None:
    found = {c.origin: c for c in candidates(knowledge_of(told), TIGHT)}
    assert found["LeGR's ranking"].widths == replay_all(told).ranking().widths(TIGHT)
    assert found["LeGR's ranking"].is_prediction


def test_what_was_tried_and_fits_has_its_own_score(told: Told) -> None:
    losses = {f"trial {said.id}": outcome.loss for said, outcome in told}
    found = [c for c in candidates(knowledge_of(told), WIDE) if not c.is_prediction]
    assert {c.origin: c.loss for c in found}.items() <= losses.items()
    fitting = {said.widths for said, _ in told if WIDE.feasible(said.widths)[0]}
    assert {c.widths for c in found} == fitting


@pytest.mark.parametrize("probes", [False, True])
def test_the_model_knows_the_probes_that_are_stored_and_does_without(
    told: Told, probes: bool
) -> None:
    knowledge = knowledge_of(told, probes=probes)
    known = [(found.widths, found.loss) for found in knowledge.evaluated]
    solver = Solver(TIGHT, known=known, probes=3 if probes else 0)
    for _ in range(solver.probes):
        probe = solver.ask()
        assert isinstance(probe, Suggestion)
        solver.tell(probe.id, knowledge.probed(probe.widths))
    found = {c.origin: c for c in candidates(knowledge, TIGHT)}
    model = found["the solver's model"]
    assert model.widths == widen(TIGHT, solver.answer())
    assert model.gap == solver.gap
    assert model.gap is not None
    assert {c.gap for c in found.values() if c is not model} == {None}


def test_a_trial_that_would_waste_a_looser_budget_competes_widened(told: Told) -> None:
    looser = sample_problem(budget=0.7)
    found = {c.origin: c for c in candidates(knowledge_of(told), looser)}
    best = min((c for c in found.values() if not c.is_prediction), key=lambda c: c.loss)
    widened = found[f"{best.origin}, widened"]
    assert all(after >= before for before, after in zip(best.widths, widened.widths, strict=True))
    assert looser.loads(best.widths)[0] < 0.8 < looser.loads(widened.widths)[0] <= 1.0
    assert 0.0 < widened.loss < best.loss


def test_evaluations_at_widths_that_are_no_longer_legal_are_left_out(told: Told) -> None:
    coarse = sample_problem(budget=0.35, choices=4)
    legal = [
        said.widths
        for said, _ in told
        if all(w in group.choices for w, group in zip(said.widths, coarse.groups, strict=True))
    ]
    full = tuple(coarse.full.tolist())
    extra = [(Suggestion(24 + i, full), Outcome(0.1 + i)) for i in range(2)]
    start = start_of(
        replace(knowledge_of(told), evaluated=evaluated([*told, *extra]), ranking=None),
        coarse,
        comparable=True,
    )
    assert [widths for widths, _ in start.known] == [*legal, full, full]
    coarse.check_legal(start.first[0])


def test_too_few_legal_evaluations_are_refused(told: Told) -> None:
    with pytest.raises(InputError, match="without --from"):
        candidates(Knowledge("job", METRIC, (), None, lambda _: Outcome(None)), TIGHT)


def test_losses_of_another_kind_are_not_taken_over(told: Told) -> None:
    start = start_of(knowledge_of(told), TIGHT, comparable=False)
    assert start.known == ()
    assert TIGHT.feasible(start.first[0])[0]


def test_a_start_survives_the_database_and_reaches_those_that_can_take_it(told: Told) -> None:
    start = start_of(knowledge_of(told), TIGHT, comparable=True)
    assert Start.of(start.what()) == start
    assert NOTHING.what() == {}
    assert Start.of({}) == NOTHING
    assert set(start.options("legr", {})) == {"first"}
    assert set(start.options("solver", {"probes": 0})) == {"known", "probes"}
    assert set(start.options("portfolio", {})) == {"known"}
    assert start.options("random", {}) == {}
    mine = tuple(TIGHT.floor.tolist())
    assert start.options("tpe", {"first": [mine]})["first"] == [start.first[0], mine]


@pytest.mark.parametrize("searcher", ["solver", "portfolio"])
def test_with_something_known_the_first_trial_is_the_solvers_answer(
    told: Told, searcher: str
) -> None:
    start = start_of(knowledge_of(told), TIGHT, comparable=True)
    score = sample_score(TIGHT)
    made = make(searcher, TIGHT, seed=0, **start.options(searcher, {}))
    first = next(said for said, _ in run(made, score, tells=40) if said.purpose != "probe")
    solver = Solver(TIGHT, seed=0, known=start.known)
    for _ in range(solver.probes):
        probe = solver.ask()
        assert isinstance(probe, Suggestion)
        solver.tell(probe.id, score(probe))
    assert first.widths == solver.answer() != tuple(uniform_widths(TIGHT).tolist())


def test_the_solver_expects_about_what_it_was_told(told: Told) -> None:
    known = [(said.widths, float(outcome.loss or 0.0)) for said, outcome in told]
    expected = Solver(WIDE, known=known).expected([widths for widths, _ in known])
    losses = [loss for _, loss in known]
    assert np.all(np.abs(np.log(expected / losses)) < np.log(2.0))
    assert np.corrcoef(expected, losses)[0, 1] > 0.9


def test_the_solver_expects_nothing_before_it_was_told_two_losses() -> None:
    floor = tuple(WIDE.floor.tolist())
    with pytest.raises(MisuseError):
        Solver(WIDE, known=[(floor, 1.0)]).expected([floor])


def test_schedules_are_ranked_with_what_narrow_layers_will_add(told: Told) -> None:
    solver = Solver(TIGHT, capacity=50.0, known=known_in(knowledge_of(told), TIGHT))
    for capacity in (0.0, 50.0):
        found = candidates(knowledge_of(told), TIGHT, capacity)
        losses = [each.loss for each in found]
        later = solver.foreseen([each.widths for each in found], losses).tolist()
        assert (losses == sorted(losses)) == (capacity == 0.0)
        assert (later == sorted(later)) == (capacity > 0.0)
