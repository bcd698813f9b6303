"""The solver's answers: within any bound, near the optimum, by either objective."""

from dataclasses import replace

import numpy as np
import pytest
from solver_cases import additive_score, all_widths, probed, truth

from searchers import Outcome, Problem, Suggestion, make
from searchers.contract import Load
from searchers.solver import Solver
from searchers.solver.program import GAP, minimise
from searchers.solver.tables import expand, places_of
from searchers.testing import run, sample_problem
from searchers.uniform import uniform_widths


def chain(problem: Problem, weights: list[float], budget: float) -> Load:
    """Another bound over neighbouring widths, as a fraction of the unpruned network's cost."""
    per_layer = np.array(weights)

    def cost(widths: np.ndarray) -> np.ndarray:
        inputs = np.column_stack([np.full(len(widths), 16.0), widths[:, :-1]])
        return (inputs * widths * per_layer).sum(axis=1)

    full = float(cost(problem.full[None, :].astype(float))[0])
    return lambda widths: cost(np.asarray(widths, dtype=float)) / (budget * full)


def both(first: Load, second: Load, problem: Problem) -> Problem:
    return replace(
        problem,
        load=lambda widths: np.maximum(first(widths), second(widths)),
        parts=(first, second),
    )


@pytest.mark.parametrize("objective", ["sum", "minimax"])
def test_two_bounds_are_met_and_one_is_used_up(objective: str) -> None:
    """Latency sits in the first layers, multiplications in the last."""
    base = sample_problem(groups=6, trials=6)
    latency = chain(base, [9.0, 3.0, 1.0, 1.0, 0.3, 0.1], 0.6)
    macs = chain(base, [0.1, 0.3, 1.0, 1.0, 3.0, 9.0], 0.5)
    problem = both(latency, macs, base)
    told = run(Solver(problem, objective=objective), additive_score(problem))
    trials = np.array([said.widths for said, _ in told if said.purpose == "candidate"], float)
    assert max(latency(trials).max(), macs(trials).max()) <= 1.0
    answer = np.array([probed(problem, objective=objective).answer()], float)
    assert latency(answer)[0] <= 1.0
    assert macs(answer)[0] <= 1.0
    assert max(latency(answer)[0], macs(answer)[0]) > 0.97


def test_a_second_bound_changes_the_answer() -> None:
    base = sample_problem(groups=6)
    latency = chain(base, [9.0, 3.0, 1.0, 1.0, 0.3, 0.1], 0.5)
    macs = chain(base, [0.1, 0.3, 1.0, 1.0, 3.0, 9.0], 0.5)
    alone = probed(replace(base, load=latency)).answer()
    assert macs(np.array([alone], float))[0] > 1.0
    assert probed(both(latency, macs, base)).answer() != alone


def cubic(problem: Problem) -> Load:
    """Three groups whose product counts, as where three are concatenated and cached."""
    return lambda widths: (
        (
            (0.2 * widths / problem.full).mean(axis=1)
            + 0.8 * (widths[:, :3] / problem.full[:3]).prod(axis=1)
        )
        / 0.4
    )


def concave(problem: Problem) -> Load:
    """A law that saturates: every group's saving depends on all the others."""
    return lambda widths: (widths / problem.full).mean(axis=1) ** 0.4 / 0.75


def jumping(problem: Problem) -> Load:
    """A cliff where the sum passes half: no sum of tables around any schedule sees it."""

    def load(widths: np.ndarray) -> np.ndarray:
        share = (widths / problem.full).mean(axis=1)
        return np.where(share > 0.5, 1.3, 0.8) * share / 0.6

    return load


@pytest.mark.parametrize("law", [cubic, concave, jumping])
def test_a_load_that_is_no_sum_of_pairs_is_met_all_the_same(law: object) -> None:
    assert callable(law)
    base = sample_problem(groups=4, trials=8, choices=6)
    problem = replace(base, load=law(base))
    told = run(Solver(problem), additive_score(problem))
    trials = [said.widths for said, _ in told if said.purpose == "candidate"]
    assert len(trials) == 8
    assert problem.feasible(trials).all()
    answer = probed(problem).answer()
    assert problem.feasible(answer)[0]
    loads = problem.loads(all_widths(problem.groups))
    assert problem.loads(answer)[0] > 0.93 * loads[loads <= 1.0].max()


@pytest.mark.parametrize("staircase", [False, True])
def test_an_additive_loss_is_solved_nearly_exactly_where_others_are_far(staircase: bool) -> None:
    problem = sample_problem(groups=8, trials=30, staircase=staircase, choices=8)
    bound = expand(problem.groups, problem.load, uniform_widths(problem))
    optimum = minimise(truth(problem), [bound], 1.0, nodes=20_000)
    assert optimum is not None
    score = additive_score(problem)

    def best(name: str) -> float:
        told = run(make(name, problem, 0), score)
        return float(np.log(min(o.loss for s, o in told if s.purpose == "candidate")))

    ours, random, tpe = (best(name) for name in ("solver", "random", "tpe"))
    assert ours <= 1.03 * optimum.value
    assert ours < 0.9 * min(random, tpe)


def test_it_learns_what_probes_did_not_say() -> None:
    """Two neighbours hurt only together: the probes are blind to it."""
    problem = sample_problem(groups=5, trials=30, choices=6)

    def true(widths: np.ndarray) -> np.ndarray:
        narrowing = np.log(problem.full / widths)
        alone = narrowing @ np.array([0.05, 0.05, 0.3, 0.3, 0.2])
        return alone + 2.0 * narrowing[:, 0] * narrowing[:, 1]

    def score(said: Suggestion) -> Outcome:
        return Outcome(float(np.exp(true(np.array([said.widths]))[0])))

    told = [np.log(o.loss) for s, o in run(Solver(problem), score) if s.purpose == "candidate"]
    rows = all_widths(problem.groups)
    optimum = true(rows[problem.feasible(rows)]).min()
    first = told[1]  # scattered: nothing is learned yet
    assert first > 1.1 * optimum
    assert min(told) - optimum < 0.3 * (first - optimum)


def worst(problem: Problem, widths: tuple[int, ...]) -> float:
    places = places_of(problem.groups, widths)
    return max(
        float(curve[place]) for curve, place in zip(truth(problem).singles, places, strict=True)
    )


@pytest.mark.parametrize("budget", [0.3, 0.5, 0.7])
def test_minimax_spares_the_worst_group(budget: float) -> None:
    problem = sample_problem(groups=6, budget=budget)
    equal = probed(problem, objective="minimax").answer()
    summed = probed(problem).answer()
    assert problem.feasible([equal, summed]).all()
    assert worst(problem, equal) <= worst(problem, summed)
    assert problem.loads(equal)[0] > 0.9


def test_minimax_differs_from_the_sum_in_its_trials() -> None:
    problem = sample_problem(groups=6, trials=8)
    score = additive_score(problem)
    trials = [
        [said.widths for said, _ in run(Solver(problem, objective=objective), score)][-7:]
        for objective in ("sum", "minimax")
    ]
    assert trials[0] != trials[1]
    assert problem.feasible(trials[1]).all()


def test_an_exact_answer_tells_its_gap() -> None:
    solver = probed(sample_problem(groups=6))
    assert solver.gap is None
    solver.answer()
    assert solver.gap is not None
    assert 0.0 <= solver.gap <= GAP


def test_an_answer_of_the_smallest_worst_damage_has_no_gap() -> None:
    solver = probed(sample_problem(groups=6), objective="minimax")
    solver.answer()
    assert solver.gap is None
