"""Minima of sums of tables: the integer program, elimination and the descent by one price."""

import os
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, milp
from solver_cases import all_places, random_pairs, random_table

from searchers import Problem
from searchers.solver import program
from searchers.solver.descent import descend, elimination_order
from searchers.solver.elimination import minimum, order_of
from searchers.solver.probes import shrinkage
from searchers.solver.program import minimise
from searchers.solver.tables import Pair, TableSum, expand, places_of
from searchers.testing import sample_problem
from searchers.uniform import uniform_widths


def within(bounds: Sequence[TableSum], rows: np.ndarray, limit: float) -> np.ndarray:
    return np.all([bound(rows) <= limit for bound in bounds], axis=0)


@pytest.mark.parametrize("bounded", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_the_program_finds_what_trying_all_finds(bounded: int, seed: int) -> None:
    rng = np.random.default_rng([seed, bounded])
    sizes = rng.integers(3, 5, size=4 + seed % 2).tolist()
    objective = random_table(rng, sizes, random_pairs(rng, len(sizes), 0.5))
    bounds = [
        random_table(rng, sizes, random_pairs(rng, len(sizes), 0.5), positive=True)
        for _ in range(bounded)
    ]
    rows = all_places(sizes)
    for quantile in (0.05, 0.4, 1.0):
        limit = float(np.quantile(np.max([bound(rows) for bound in bounds], axis=0), quantile))
        fits = within(bounds, rows, limit + 1e-9)
        found = minimise(objective, bounds, limit + 1e-9, gap=0.0)
        assert found is not None
        assert found.value == pytest.approx(objective(rows[fits]).min())
        assert found.value == pytest.approx(objective(found.places)[0])
        assert within(bounds, found.places[None, :], limit + 1e-6).all()
        assert found.gap <= 1e-6


def test_the_second_bound_matters() -> None:
    """Each bound alone is met by an answer that breaks the other."""
    objective = TableSum(0.0, (np.array([4.0, 0.0]), np.array([4.0, 0.0])), {})
    first = TableSum(0.0, (np.array([0.1, 0.95]), np.array([0.1, 0.2])), {})
    second = TableSum(0.5, (np.array([0.1, 0.2]), np.array([0.0, 0.6])), {})
    answers = [minimise(objective, bounds) for bounds in ([first], [second], [first, second])]
    assert [None if found is None else found.places.tolist() for found in answers] == [
        [0, 1],
        [1, 0],
        [0, 0],
    ]


def test_where_nothing_fits_there_is_no_answer() -> None:
    rng = np.random.default_rng(0)
    objective = random_table(rng, [3, 3], [(0, 1)])
    bound = random_table(rng, [3, 3], [(0, 1)], positive=True)
    floor = float(bound(all_places([3, 3])).min())
    assert minimise(objective, [bound], 0.99 * floor) is None
    assert minimise(objective, [bound], 1.01 * floor) is not None


def test_what_the_library_prints_does_not_reach_stdout(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes below Python, past any redirection of sys.stdout."""

    def noisy(*args: object, **options: object) -> OptimizeResult:
        os.write(1, b"a line that no option turns off\n")
        return milp(*args, **options)

    monkeypatch.setattr(program, "milp", noisy)
    rng = np.random.default_rng(0)
    print("before")
    minimise(random_table(rng, [4] * 3, []), [random_table(rng, [4] * 3, [], positive=True)], 8.0)
    print("after")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("before\nafter\n", "")


SHAPES: dict[str, list[Pair]] = {
    "alone": [],
    "chain": [(0, 1), (1, 2), (2, 3), (3, 4)],
    "star": [(0, 2), (1, 2), (2, 3), (2, 4)],
    "loop": [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)],
    "dense": [(a, b) for a in range(5) for b in range(a + 1, 5)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_elimination_finds_what_trying_all_finds(shape: str) -> None:
    """Sizes differ, so that a table laid out along the wrong axis shows."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        sizes = rng.integers(2, 5, size=5).tolist()
        table = random_table(rng, sizes, SHAPES[shape])
        order = order_of(tuple(sizes), SHAPES[shape])
        assert order is not None
        found = minimum(table, order)
        assert table(found)[0] == pytest.approx(table(all_places(sizes)).min())


def test_an_order_serves_a_table_with_fewer_pairs() -> None:
    rng = np.random.default_rng(0)
    order = order_of((3, 4, 2, 3, 4), SHAPES["loop"])
    assert order is not None
    table = random_table(rng, [3, 4, 2, 3, 4], [(1, 2), (0, 4)])
    rows = all_places([3, 4, 2, 3, 4])
    assert np.array_equal(minimum(table, order), rows[np.argmin(table(rows))])


def test_a_dense_graph_of_many_choices_has_no_order_and_a_long_chain_has() -> None:
    dense = [(a, b) for a in range(8) for b in range(a + 1, 8)]
    assert order_of((8,) * 8, dense) is None
    order = order_of((64,) * 60, [(g, g + 1) for g in range(59)])
    assert order is not None
    assert sorted(group for group, _ in order.steps) == list(range(60))


def damage(problem: Problem, seed: int) -> TableSum:
    """Groups of random importance, and neighbours that hurt each other."""
    rng = np.random.default_rng(seed)
    curves = shrinkage(problem.groups)
    singles = tuple(rng.uniform(0.1, 3.0) * curve for curve in curves)
    pairs = {
        (g, g + 1): rng.normal(scale=0.3) * np.outer(curves[g], curves[g + 1])
        for g in range(len(curves) - 1)
    }
    return TableSum(0.0, singles, pairs)


@pytest.mark.parametrize("staircase", [False, True])
@pytest.mark.parametrize("budget", [0.3, 0.6])
def test_the_descent_is_near_the_minimum_and_within_the_budget(
    budget: float, staircase: bool
) -> None:
    problem = sample_problem(groups=5, budget=budget, staircase=staircase, choices=6)
    uniform = uniform_widths(problem)
    bounds = [expand(problem.groups, problem.load, uniform)]
    rows = all_places([len(group.choices) for group in problem.groups])
    fits = within(bounds, rows, 1.0)
    for seed in range(3):
        objective = damage(problem, seed)
        order = elimination_order(problem, objective, bounds)
        assert order is not None
        widths = descend(problem, objective, bounds, order)
        problem.check_legal(widths)
        assert problem.feasible(widths)[0]
        value = objective(places_of(problem.groups, widths))[0]
        least, most = objective(rows[fits]).min(), objective(rows[fits]).max()
        assert value <= objective(places_of(problem.groups, uniform))[0] + 1e-12
        assert value <= least + 0.02 * (most - least)
