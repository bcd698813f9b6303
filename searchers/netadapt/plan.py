"""How many iterations NetAdapt can afford, how far each goes, and which moves it tries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from searchers.contract import FloatArray, IntArray, Problem
from searchers.projection import fill_up, first_within, project, shrink_path

MOST_ITERATIONS = 30


@dataclass(frozen=True)
class Plan:
    """Iterations, and moves tried in each; every move shrinks one block of groups."""

    iterations: int
    moves: int


def plan(trials: int, prunable: int) -> Plan:
    """Spend ``trials`` on iterations over ``prunable`` groups.

    With enough trials every iteration tries every group alone, as the paper does, for up to 30
    iterations. With few, the groups are tried in blocks: about sqrt(0.6 trials) iterations, and
    as many blocks as the trials then allow in each.
    """
    fewest = max(1, round((0.6 * trials) ** 0.5))
    iterations = min(max(trials // prunable, fewest), MOST_ITERATIONS)
    return Plan(iterations, min(prunable, trials // iterations))


def planned_steps(total: float, iterations: int, decay: float) -> FloatArray:
    """Falls of the load, dR0 * decay^(i-1) (section 3.2), adding up to ``total``; [iterations]."""
    shape = decay ** np.arange(iterations, dtype=np.float64)
    return np.asarray(total * shape / shape.sum(), dtype=np.float64)


def blocks(prunable: Sequence[int], moves: int, iteration: int) -> list[list[int]]:
    """Neighbouring groups in ``moves`` blocks, whose borders shift by one group an iteration."""
    offset = 0 if moves == len(prunable) else iteration % len(prunable)
    turned = [*prunable[offset:], *prunable[:offset]]
    return [part.tolist() for part in np.array_split(np.array(turned), moves)]


def moves(
    problem: Problem, current: IntArray, parts: Sequence[list[int]], target: float
) -> list[tuple[int, ...]]:
    """For every block, the widest schedule that shrinks it alone to a load of at most ``target``.

    Blocks that cannot reach the target are left out. Where none can, those that save at least half
    of what the best one saves are taken as far as they go.

    Args:
        problem: G groups and their load.
        current: the last winner, [G].
        parts: the blocks, as indices of groups.
        target: load.

    Returns:
        Distinct schedules, each different from ``current``.
    """
    paths = [shrink_path(problem.groups, current, part)[1:] for part in parts]
    paths = [path for path in paths if len(path)]
    rows = [_widest(problem, path, current, target) for path in paths]
    reached = [row for row in rows if row is not None]
    chosen = reached or _most_saving(problem, current, paths)
    return list(dict.fromkeys(_row(row) for row in chosen))


def forced_moves(
    problem: Problem, current: IntArray, parts: Sequence[list[int]]
) -> list[tuple[int, ...]]:
    """For every block, its narrowest widths with all groups projected to the budget."""
    proposals = []
    for part in parts:
        widths = current.copy()
        widths[part] = problem.floor[part]
        proposals.append(project(problem, widths))
    return list(dict.fromkeys(proposals))


def _widest(problem: Problem, path: IntArray, current: IntArray, target: float) -> IntArray | None:
    """The first row of the path within the target, its block widened where that still fits."""
    row = first_within(problem, path, target)
    return None if row is None else fill_up(problem, row, current, target)


def _most_saving(problem: Problem, current: IntArray, paths: Sequence[IntArray]) -> list[IntArray]:
    """The cheapest row of each path, where it saves at least half of the most any saves."""
    cheapest = [path[int(np.argmin(problem.loads(path)))] for path in paths]
    if not cheapest:
        return []
    saved = float(problem.loads(current)[0]) - problem.loads(np.array(cheapest))
    most = float(saved.max())
    if most <= 0.0:
        return []
    return [row for row, amount in zip(cheapest, saved, strict=True) if amount >= 0.5 * most]


def _row(widths: IntArray) -> tuple[int, ...]:
    return tuple(int(width) for width in widths)
