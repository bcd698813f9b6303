"""Feasible schedules near a few good ones, and scattered around the uniform one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from searchers.contract import IntArray, Problem
from searchers.projection import project, widen
from searchers.solver.tables import places_of, widths_of
from searchers.uniform import filled_uniform

_COUNT = 2_000
_MOST_CHANGES = 4
_MOST_STEPS = 2
_SCATTER = 0.6
"""Standard deviation of log widths: few such schedules are as extreme as a model's minima."""


def mutants(
    problem: Problem, centres: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> IntArray:
    """Feasible schedules that differ from a centre in one to four groups by one or two choices.

    Args:
        problem: G groups and their load.
        centres: feasible schedules.
        rng: draws the changes.

    Returns:
        Distinct rows without order, at least one; [M, G].
    """
    groups = problem.groups
    last = np.array([len(group.choices) - 1 for group in groups])
    start = places_of(groups, np.array(centres))
    rows = start[rng.integers(len(start), size=_COUNT)]
    changes = rng.integers(1, _MOST_CHANGES + 1, size=_COUNT)
    # Ranks of random numbers choose so many groups of each row.
    ranks = rng.random((_COUNT, len(groups))).argsort(axis=1).argsort(axis=1)
    steps = rng.integers(1, _MOST_STEPS + 1, size=rows.shape)
    steps *= rng.choice([-1, 1], size=rows.shape)
    moved = np.clip(rows + np.where(ranks < changes[:, None], steps, 0), 0, last)
    widths = widths_of(groups, np.unique(moved, axis=0))
    fitting = widths[problem.feasible(widths)]
    return fitting if len(fitting) else np.array(centres[:1], dtype=np.int64)


def scattered(problem: Problem, rng: np.random.Generator) -> tuple[int, ...]:
    """The uniform schedule with every width changed by a random factor, filled to the budget."""
    factors = np.exp(_SCATTER * rng.normal(size=len(problem.groups)))
    wanted = np.minimum(filled_uniform(problem) * factors, problem.full)
    return widen(problem, project(problem, wanted))
