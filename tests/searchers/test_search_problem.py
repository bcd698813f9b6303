"""Problems that cannot be searched are refused where they are made, with what to change."""

from dataclasses import replace

import numpy as np
import pytest

from searchers import Group, Problem, ProblemError
from searchers.testing import sample_problem


def test_one_legal_width_in_every_group_leaves_nothing_to_search() -> None:
    fixed = tuple(Group(name, 4, (4,)) for name in "ab")
    with pytest.raises(ProblemError, match="nothing to search: every group has one legal width"):
        Problem(fixed, lambda widths: widths[:, 0] / 8, trials=4)
    with pytest.raises(ProblemError, match="nothing to search"):
        Problem((), lambda widths: widths.sum(axis=1), trials=4)


@pytest.mark.parametrize(("floor", "said"), [(1.25, "1.250"), (np.nan, "nan"), (np.inf, "inf")])
def test_a_budget_that_no_schedule_meets_is_refused_with_the_cheapest_ones_cost(
    floor: float, said: str
) -> None:
    groups = (Group("a", 4, (2, 4)),)
    with pytest.raises(ProblemError, match=f"the narrowest one costs {said} of it; raise the"):
        Problem(groups, lambda widths: np.full(len(widths), floor), trials=4)


def test_group_names_must_be_unique_and_trials_positive() -> None:
    problem = sample_problem()
    with pytest.raises(ProblemError, match="group names must be unique"):
        replace(problem, groups=(problem.groups[0],) * 6)
    with pytest.raises(ProblemError, match="trials must be at least 1, got 0"):
        replace(problem, trials=0)


@pytest.mark.parametrize("choices", [(), (4, 2), (2, 2, 4), (0, 4), (2, 3)])
def test_choices_must_ascend_to_the_units(choices: tuple[int, ...]) -> None:
    with pytest.raises(ProblemError, match=r"group 'a': choices must ascend .* to units=4"):
        Group("a", 4, choices)
