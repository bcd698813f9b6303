"""Projection: legal, within the limit, near what was asked for, and the same every time."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchers import Group, MisuseError, Problem, ProblemError, project
from searchers.projection import nearest, shrink_path, widen
from searchers.testing import sample_problem

PROBLEMS = [
    sample_problem(budget=budget, staircase=staircase)
    for budget in (0.1, 0.5, 1.5)
    for staircase in (False, True)
]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(range(len(PROBLEMS))),
    st.lists(st.floats(-5.0, 80.0), min_size=6, max_size=6),
    st.sampled_from([1.0, 0.98, 0.92]),
)
def test_answers_are_legal_and_within_the_limit(
    which: int, widths: list[float], limit: float
) -> None:
    problem = PROBLEMS[which]
    answer = project(problem, widths, limit)
    problem.check_legal(answer)
    assert problem.loads(answer)[0] <= limit
    assert project(problem, answer, limit) == answer
    assert project(problem, widths, limit) == answer
    assert np.all(np.array(answer) <= nearest(problem.groups, widths))


def one_wider(problem: Problem, answer: np.ndarray) -> Iterator[np.ndarray]:
    """The schedules with one group at its next choice."""
    for index, group in enumerate(problem.groups):
        position = group.choices.index(int(answer[index]))
        if position + 1 < len(group.choices):
            wider = answer.copy()
            wider[index] = group.choices[position + 1]
            yield wider


def test_a_feasible_schedule_is_only_rounded() -> None:
    problem = sample_problem(budget=0.5)
    floor = problem.floor.astype(float)
    assert project(problem, floor + 0.4) == tuple(problem.floor.tolist())


def test_halfway_rounds_to_the_narrower_choice() -> None:
    groups = (Group("a", 8, (2, 4, 8)),)
    assert nearest(groups, [[3.0], [3.1], [6.0], [99.0], [-1.0]]).ravel().tolist() == [
        2,
        4,
        4,
        8,
        2,
    ]


def test_no_single_group_of_the_answer_could_be_widened() -> None:
    problem = sample_problem(budget=0.5)
    answer = np.array(project(problem, problem.full))
    assert not any(problem.feasible(wider)[0] for wider in one_wider(problem, answer))


def test_a_load_that_falls_when_a_width_grows_is_seen() -> None:
    """Width 6 costs more than width 8: the projection of 6 goes to 4, not to an infeasible 6."""
    cost = {2: 0.2, 4: 0.6, 6: 1.4, 8: 1.2}
    groups = (Group("a", 8, (2, 4, 6, 8)),)

    def load(widths: np.ndarray) -> np.ndarray:
        return np.array([cost[int(width)] for width in widths[:, 0]])

    problem = Problem(groups, load, trials=1)
    assert project(problem, [6]) == (4,)
    assert project(problem, [8], limit=1.3) == (8,)
    assert project(problem, [6], limit=0.3) == (2,)


def test_a_floor_that_costs_more_than_a_wider_schedule_is_not_needed() -> None:
    cost = {2: 1.0, 4: 0.5, 8: 2.0}
    problem = Problem(
        (Group("a", 8, (2, 4, 8)),),
        lambda widths: np.array([cost[int(width)] for width in widths[:, 0]]),
        trials=1,
    )
    assert project(problem, [8], limit=0.6) == (4,)


def test_a_limit_below_the_floor_is_refused_with_its_cost() -> None:
    problem = sample_problem(budget=0.5)
    with pytest.raises(ProblemError, match=r"no schedule within 0\.001 of the budget"):
        project(problem, problem.full, limit=0.001)


@pytest.mark.parametrize("widths", [[1.0], [np.nan] * 6])
def test_widths_that_are_no_schedule_are_refused(widths: list[float]) -> None:
    with pytest.raises(ProblemError, match="expected 6 finite widths"):
        project(sample_problem(), widths)


def test_shrink_path_of_one_group_walks_all_its_choices() -> None:
    problem = sample_problem()
    path = shrink_path(problem.groups, problem.full, [2])
    assert path[:, 2].tolist() == list(problem.groups[2].choices)[::-1]
    others = [0, 1, 3, 4, 5]
    assert np.all(path[:, others] == problem.full[others])


def test_shrink_path_can_start_from_the_full_network() -> None:
    problem = sample_problem()
    path = shrink_path(problem.groups, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], largest=np.inf)
    assert np.array_equal(path[0], problem.full)
    assert np.array_equal(path[-1], problem.floor)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(range(len(PROBLEMS))),
    st.lists(st.floats(1.0, 64.0), min_size=6, max_size=6),
    st.sampled_from([1.1, 1.0, 0.94]),
)
def test_widening_stays_within_the_limit_and_narrows_nothing(
    which: int, widths: list[float], limit: float
) -> None:
    problem = PROBLEMS[which]
    start = project(problem, widths, 0.9 * limit)
    answer = widen(problem, start, limit)
    problem.check_legal(answer)
    assert problem.loads(answer)[0] <= limit
    assert np.all(np.array(answer) >= start)
    assert widen(problem, start, limit) == answer
    assert widen(problem, answer, limit) == answer


def test_widening_uses_what_the_limit_leaves() -> None:
    problem = sample_problem(budget=0.5)
    start = project(problem, problem.full, 0.7)
    answer = np.array(widen(problem, start))
    assert problem.loads(answer)[0] > 0.95
    assert not any(problem.feasible(wider)[0] for wider in one_wider(problem, answer))


def test_widening_keeps_proportions_before_it_fills() -> None:
    """Twice the widths fit exactly; filling one group alone would fit too."""
    choices = tuple(range(1, 17))
    problem = Problem(
        (Group("a", 16, choices), Group("b", 16, choices)),
        lambda widths: widths.sum(axis=1) / 18.0,
        trials=1,
    )
    assert widen(problem, (6, 3)) == (12, 6)


def test_what_is_over_the_limit_or_not_legal_is_not_widened() -> None:
    problem = sample_problem(budget=0.5)
    with pytest.raises(ProblemError, match="cannot be widened to 1: project it"):
        widen(problem, problem.full)
    with pytest.raises(MisuseError, match="expected 6 widths"):
        widen(problem, [1])
