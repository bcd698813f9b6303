"""The solver: its order of asks, and what it learns from."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from solver_cases import additive_score, plain, probed, truth

from searchers import MisuseError, Outcome, Problem, SearcherError, Suggestion, Wait, make
from searchers.solver import Solver
from searchers.solver.foresight import capacity_lost
from searchers.solver.probes import sensitivities
from searchers.solver.tables import places_of
from searchers.testing import run, sample_problem, sample_score
from searchers.uniform import filled_uniform, uniform_widths


def test_probes_come_first_and_are_no_trials() -> None:
    problem = sample_problem(groups=4, trials=6)
    told = run(Solver(problem), additive_score(problem))
    purposes = [said.purpose for said, _ in told]
    assert purposes == ["probe"] * (1 + 3 * 4) + ["candidate"] * 6
    assert told[0][0].widths == tuple(problem.full.tolist())
    changed = Counter(
        int(np.flatnonzero(said.widths != problem.full)[0])
        for said, _ in told[1:13]
        if (np.array(said.widths) != problem.full).sum() == 1
    )
    assert changed == {0: 3, 1: 3, 2: 3, 3: 3}


def test_the_first_trial_is_the_filled_uniform_one_and_the_second_waits_for_every_probe() -> None:
    problem = sample_problem(groups=4, trials=6)
    solver, score = Solver(problem), additive_score(problem)
    probes = [solver.ask() for _ in range(solver.probes)]
    first = solver.ask()
    assert isinstance(first, Suggestion)
    assert first.widths == filled_uniform(problem)
    for said in probes:
        assert isinstance(solver.ask(), Wait)
        solver.tell(said.id, score(said))
    assert isinstance(solver.ask(), Suggestion)


def test_an_answer_is_refused_while_probes_are_pending() -> None:
    solver = Solver(sample_problem())
    said = solver.ask()
    with pytest.raises(MisuseError, match="probes are still pending"):
        solver.answer()
    solver.tell(said.id, Outcome(0.5))
    solver.answer()


def test_an_early_answer_does_not_keep_later_probes_out_of_the_model() -> None:
    problem = sample_problem()
    hasty, score = Solver(problem), additive_score(problem)
    early = hasty.answer()
    for said in [hasty.ask() for _ in range(hasty.probes)]:
        hasty.tell(said.id, score(said))
    assert hasty.answer() == probed(problem).answer() != early


def test_what_others_scored_is_learned_and_not_asked_again() -> None:
    problem = sample_problem(groups=5, trials=12)
    alone, taught = probed(problem), probed(problem)
    foreign = alone.answer()
    taught.learn(foreign, Outcome(1e3))
    taught.learn(tuple(problem.floor.tolist()), Outcome(2.0))
    taught.learn(tuple(uniform_widths(problem).tolist()), Outcome(1.5))
    assert taught.answer() != foreign
    score = additive_score(problem)
    trials = [said.widths for said, _ in run(taught, score)]
    assert foreign not in trials
    assert foreign in [said.widths for said, _ in run(alone, score)]


@pytest.mark.parametrize("outcome", [Outcome(None), Outcome(float("nan")), Outcome(0.1, np.nan)])
def test_failures_of_others_teach_nothing(outcome: Outcome) -> None:
    problem = sample_problem(groups=5)
    taught = probed(problem)
    for _ in range(3):
        taught.learn(tuple(problem.floor.tolist()), outcome)
    assert taught.answer() == probed(problem).answer()


def test_evaluations_known_before_count_at_any_budget() -> None:
    problem = sample_problem(groups=5, trials=6)
    score = additive_score(problem)
    looser = replace(problem, load=sample_problem(groups=5, budget=0.9).load)
    known = [
        (said.widths, outcome.loss)
        for said, outcome in run(make("random", replace(looser, trials=40)), score)
    ]
    blind = Solver(problem, probes=0).answer()
    informed = Solver(problem, probes=0, known=known).answer()
    assert problem.feasible(informed)[0]
    places = places_of(problem.groups, [blind, informed])
    before, after = truth(problem)(places)
    assert after < 0.95 * before


def test_what_is_learned_must_be_a_legal_schedule() -> None:
    problem = sample_problem()
    illegal = (32, 63, 32, 32, 64, 32)
    with pytest.raises(MisuseError, match="group 'conv1': width 63 is not one of"):
        Solver(problem).learn(illegal, Outcome(1.0))
    with pytest.raises(MisuseError, match="group 'conv1': width 63 is not one of"):
        Solver(problem, known=[(illegal, 1.0)])


def test_failures_known_before_teach_nothing() -> None:
    problem = sample_problem()
    floor, full = (tuple(row.tolist()) for row in (problem.floor, problem.full))
    failed = [(floor, float("nan")), (full, float("nan"))]
    assert Solver(problem, known=failed).answer() == Solver(problem).answer()


def test_losses_of_any_sign_are_searched() -> None:
    """A score to be maximised arrives negated, and a loss may be 0."""
    problem = sample_problem(groups=5, trials=15)
    base = sample_score(problem)
    told = run(Solver(problem), lambda said: Outcome(base(said).loss - 0.05))
    losses = [o.loss for s, o in told if s.purpose == "candidate"]
    assert min(losses) < 0.0 < max(o.loss for _, o in told)
    assert min(losses) + 0.05 < 0.7 * (losses[0] + 0.05)


def test_norms_and_traits_are_not_needed() -> None:
    problem = sample_problem(trials=10)
    bare = replace(problem, groups=plain(problem.groups))
    for probes in (0, 2):
        told = run(Solver(bare, probes=probes), additive_score(bare))
        trials = [said.widths for said, _ in told if said.purpose == "candidate"]
        assert len(trials) == 10
        assert len(set(trials)) == 10


def test_norms_stand_in_for_probes_that_failed() -> None:
    problem = sample_problem(groups=5)

    def answered(of: Problem) -> tuple[int, ...]:
        solver = Solver(of)
        for said in [solver.ask() for _ in range(solver.probes)]:
            solver.tell(said.id, Outcome(None))
        return solver.answer()

    assert sensitivities(problem.groups, {}) is None
    assert answered(problem) == Solver(problem, probes=0).answer()
    assert answered(problem) != answered(replace(problem, groups=plain(problem.groups)))


def test_rounds_begin_with_the_models_minimum() -> None:
    problem = sample_problem(groups=5, trials=10)
    solver, score = probed(problem), additive_score(problem)
    for turn in range(10):
        answer = solver.answer()
        said = solver.ask()
        if turn in (5, 9) and answer not in solver._seen:
            assert said.widths == answer
        solver.tell(said.id, score(said))
    assert turn == 9


def test_first_trials_are_scattered_whatever_they_score() -> None:
    problem = sample_problem(groups=5, trials=20)
    uniform = np.log(filled_uniform(problem))

    def first(score: Callable[[Suggestion], Outcome]) -> list[tuple[int, ...]]:
        told = run(Solver(problem, seed=3), score)
        return [said.widths for said, _ in told if said.purpose == "candidate"][:5]

    one, other = first(additive_score(problem)), first(lambda said: Outcome(said.id + 1.0))
    assert one[:4] == other[:4]
    assert one[4] != other[4]
    assert len({*one[:4]}) == 4
    distances = np.abs(np.log(one[1:4]) - uniform)
    assert 0.0 < np.median(distances) < 1.2


def test_nothing_is_scattered_where_enough_is_known() -> None:
    problem = sample_problem(groups=5, trials=20)
    score = additive_score(problem)
    told = run(make("random", replace(problem, trials=4)), score)
    known = [(said.widths, float(outcome.loss or 0)) for said, outcome in told]
    solver = probed(problem, known=known)
    assert solver.ask().widths == solver.answer()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "max"}, "objective must be 'sum' or 'minimax', got 'max'"),
        ({"probes": -1}, "probes must be at least 0, got -1"),
    ],
)
def test_illegal_options_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(SearcherError, match=said):
        Solver(sample_problem(), **options)


def test_capacity_moves_the_answer_to_wide_layers_and_counts_each_layer_of_a_group() -> None:
    """Scores alone would narrow the first groups: they cost most and hurt least."""

    def lost(problem: Problem, capacity: float) -> float:
        solver = Solver(problem, capacity=capacity, probes=0)
        for said, outcome in run(Solver(problem, probes=0), additive_score(problem)):
            solver.learn(said.widths, outcome)
        places = places_of(problem.groups, solver.answer())
        curves = zip(capacity_lost(problem.groups), places, strict=True)
        return sum(float(curve[place]) for curve, place in curves)

    problem = sample_problem(groups=6, trials=12)
    first, *others = problem.groups
    shared = replace(problem, groups=(replace(first, layers=8), *others))
    for each in (problem, shared):
        assert lost(each, 100.0) < lost(each, 0.5) < lost(each, 0.0)


def test_capacity_counts_in_units_of_the_loss_where_its_logarithm_cannot_be_taken() -> None:
    problem = sample_problem(groups=5, trials=10)

    def answer(capacity: float, scale: float) -> tuple[int, ...]:
        solver = Solver(problem, capacity=capacity, probes=0)
        for said, outcome in run(Solver(problem, probes=0), additive_score(problem)):
            assert outcome.loss is not None
            solver.learn(said.widths, Outcome(-scale / (1.0 + outcome.loss)))
        return solver.answer()

    assert answer(0.3, 1.0) == answer(0.3, 100.0) != answer(0.0, 1.0)


@pytest.mark.parametrize("capacity", [-0.1, math.inf, math.nan])
def test_a_capacity_that_is_no_amount_is_refused(capacity: float) -> None:
    with pytest.raises(SearcherError, match=r"capacity must be finite and at least 0"):
        Solver(sample_problem(), capacity=capacity)
