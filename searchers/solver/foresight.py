"""What scores after short finetunes do not see: that narrow layers learn less later."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from searchers.contract import FloatArray, Group, SearcherError
from searchers.solver.probes import shrinkage
from searchers.solver.surrogate import Curves
from searchers.solver.tables import places_of


class Foresight:
    """What is added to the logarithm of a loss.

    Args:
        groups: G groups.
        capacity: where all layers are narrower by a factor e; 0 takes scores at their word.

    Raises:
        SearcherError: ``capacity`` is negative or not finite.
    """

    def __init__(self, groups: Sequence[Group], capacity: float) -> None:
        if not 0.0 <= capacity < math.inf:
            raise SearcherError(f"solver: capacity must be finite and at least 0, got {capacity}")
        self._groups = groups
        self.curves: Curves = tuple(capacity * curve for curve in capacity_lost(groups))
        """By group, over its choices."""

    def added(self, schedules: Sequence[Sequence[int]]) -> FloatArray:
        """To those of legal schedules, [N, G] -> [N]."""
        rows = np.array(schedules, dtype=np.int64).reshape(-1, len(self._groups))
        total = np.zeros(len(rows))
        for curve, places in zip(self.curves, places_of(self._groups, rows).T, strict=True):
            total += curve[places]
        return total


def capacity_lost(groups: Sequence[Group]) -> Curves:
    """By how much the mean over layers of the logarithm of the width falls with each group.

    A group that several layers produce counts as often: where outputs are added, its width is that
    of all of them. The entropies by which MAE-DET (arXiv 2111.13336) and DeepMAD (arXiv 2303.02165)
    judge networks without training them add up the same logarithms.
    """
    layers = sum(group.layers for group in groups)
    return tuple(
        curve * (group.layers / layers)
        for group, curve in zip(groups, shrinkage(groups), strict=True)
    )
