"""Loads as sums of tables: exact where they are such sums, and local where they are not."""

from itertools import combinations

import numpy as np
import pytest
from solver_cases import all_places, all_widths, random_table

from searchers import Group, Problem
from searchers.solver.tables import expand, places_of, widths_of
from searchers.testing import sample_problem
from searchers.uniform import uniform_widths

GROUPS = tuple(
    Group(name, units, choices)
    for name, units, choices in (
        ("a", 8, (2, 5, 8)),
        ("b", 6, (1, 2, 4, 6)),
        ("c", 9, (9,)),
        ("d", 7, (3, 4, 5, 6, 7)),
    )
)


def drawn(problem: Problem, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.choice(group.choices, size=count) for group in problem.groups])


@pytest.mark.parametrize("staircase", [False, True])
def test_a_load_over_neighbours_is_reproduced_everywhere(staircase: bool) -> None:
    problem = sample_problem(staircase=staircase)
    table = expand(problem.groups, problem.load, uniform_widths(problem))
    widths = drawn(problem, 400)
    assert table(places_of(problem.groups, widths)) == pytest.approx(problem.loads(widths))


def test_exactly_the_neighbours_of_a_chain_interact() -> None:
    problem = sample_problem(groups=5)
    table = expand(problem.groups, problem.load, uniform_widths(problem))
    assert sorted(table.pairs) == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_exactly_the_pairs_that_were_put_in_are_found() -> None:
    """A group with one choice has no pair, and neither has a sum of two curves."""
    true = random_table(np.random.default_rng(1), [3, 4, 1, 5], [(0, 3), (1, 3)])
    found = expand(
        GROUPS,
        lambda widths: true(places_of(GROUPS, widths)),
        np.array([group.units for group in GROUPS]),
    )
    assert sorted(found.pairs) == [(0, 3), (1, 3)]
    rows = all_places([3, 4, 1, 5])
    assert found(rows) == pytest.approx(true(rows))


def test_a_product_of_three_is_exact_wherever_at_most_two_groups_differ() -> None:
    groups = tuple(Group(name, 5, (1, 2, 3, 5)) for name in "abc")
    around = np.array([3, 2, 5])
    rows = all_widths(groups)
    true = rows.prod(axis=1).astype(float)
    table = expand(groups, lambda widths: widths.prod(axis=1), around)
    predicted = table(places_of(groups, rows))
    near = (rows != around).sum(axis=1) <= 2
    assert predicted[near] == pytest.approx(true[near])
    assert np.abs(predicted[~near] - true[~near]).min() > 0.5
    assert sorted(table.pairs) == list(combinations(range(3), 2))


def test_positions_and_widths_are_inverses() -> None:
    rows = all_places([3, 4, 1, 5])
    widths = widths_of(GROUPS, rows)
    assert np.array_equal(places_of(GROUPS, widths), rows)
    assert np.array_equal(widths, all_widths(GROUPS))
    assert np.array_equal(places_of(GROUPS, widths[7]), rows[7])
