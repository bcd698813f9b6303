"""The schedule whose worst group is damaged least."""

from __future__ import annotations

import numpy as np

from searchers.contract import IntArray, Problem
from searchers.projection import fill_up, first_within
from searchers.solver.tables import TableSum


def least_worst(problem: Problem, damage: TableSum) -> tuple[int, ...]:
    """Every group as narrow as one common threshold on its damage lets it be.

    Every threshold at which a width changes is priced in one call and the lowest one within the
    budget is taken; FastNAS (NVIDIA's Model Optimizer) seeks it by bisection. What the budget then
    leaves is given back.

    Args:
        problem: G groups and their load.
        damage: its single tables are looked at; none may rise with the width.
    """
    levels = np.unique(np.concatenate(damage.singles))
    rows: IntArray = np.empty((len(levels), len(problem.groups)), dtype=np.int64)
    for index, (group, curve) in enumerate(zip(problem.groups, damage.singles, strict=True)):
        # Curves fall along the choices: the first choice that is damaged no more than the level.
        narrowest = np.searchsorted(-curve, -levels, side="left")
        rows[:, index] = np.asarray(group.choices)[np.minimum(narrowest, len(curve) - 1)]
    widths = first_within(problem, rows, 1.0)
    filled = fill_up(problem, problem.floor if widths is None else widths, problem.full, 1.0)
    return tuple(int(width) for width in filled)
