"""A global ranking of filters, and the schedule it gives at any budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchers.contract import FloatArray, Group, Problem, ProblemError
from searchers.projection import first_within


@dataclass(frozen=True)
class Ranking:
    """Per-group affine maps that make the norms of all groups' filters comparable.

    Args:
        alpha: scale of each group's squared norms, positive; shape [G].
        kappa: shift, shape [G].
        loss: what the schedule it gave in the search scored.
    """

    alpha: tuple[float, ...]
    kappa: tuple[float, ...]
    loss: float

    def widths(self, problem: Problem, limit: float = 1.0) -> tuple[int, ...]:
        """The schedule at another budget: threshold the ranking once more, without training.

        Args:
            problem: the same groups with any load.
            limit: load.
        """
        return threshold(problem, np.array(self.alpha), np.array(self.kappa), limit)


def norms_of(groups: Sequence[Group]) -> list[FloatArray]:
    """Squared L2 norms of every group's units.

    Raises:
        ProblemError: a group has none.
    """
    norms = []
    for group in groups:
        if group.unit_norms is None:
            raise ProblemError(
                f"group {group.name!r} has no unit_norms, which a ranking of filters needs: give "
                f"the squared L2 norm of each of its {group.units} units"
            )
        norms.append(np.asarray(group.unit_norms, dtype=np.float64))
    return norms


def threshold(
    problem: Problem, alpha: npt.ArrayLike, kappa: npt.ArrayLike, limit: float = 1.0
) -> tuple[int, ...]:
    """Keep the filters of highest score that fit (LeGR, section 3.1 and algorithm 1).

    The score of a filter with weights w in group g is ``alpha[g] * ||w||^2 + kappa[g]``. A group
    keeps the widest legal width that its filters above the threshold fill, and never less than
    its narrowest one. Every threshold at which a width changes is priced in one call, so the
    lowest feasible one is found whether or not the load is monotone.

    Args:
        problem: G groups with unit_norms.
        alpha: scales, shape [G].
        kappa: shifts, shape [G].
        limit: load.

    Raises:
        ProblemError: a group has no unit_norms, or even the narrowest schedule is over the limit.
    """
    scales, shifts = np.asarray(alpha, dtype=np.float64), np.asarray(kappa, dtype=np.float64)
    # marks[g][k] is the score a threshold must not exceed for group g to keep choices[k].
    marks = [
        np.sort(scale * norms + shift)[::-1][np.asarray(group.choices) - 1]
        for group, norms, scale, shift in zip(
            problem.groups, norms_of(problem.groups), scales, shifts, strict=True
        )
    ]
    levels = np.append(np.unique(np.concatenate(marks)), np.inf)
    rows = np.empty((len(levels), len(marks)), dtype=np.int64)
    for index, (group, mark) in enumerate(zip(problem.groups, marks, strict=True)):
        kept = np.searchsorted(-mark, -levels, side="right")
        rows[:, index] = np.asarray(group.choices)[np.maximum(kept - 1, 0)]
    widths = first_within(problem, rows, limit)
    if widths is None:
        raise ProblemError(f"no threshold of the ranking gives a load within {limit:g}")
    return tuple(int(width) for width in widths)
