"""Values over pairs of channel counts: what one operator, or all between two counts, cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autoprune.pruning.channels import Channels
from autoprune.pruning.network import reachable
from autoprune.pruning.space import SearchSpace

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Values at every pair of reachable channel counts, [A, B]."""

    first: Channels
    second: Channels
    values: FloatArray


@dataclass(frozen=True)
class PairGrid:
    """Summed prices of every operator between two channel counts, not calibrated.

    Args:
        first, second: the channel counts; ``Channels(1)`` stands for none.
        first_totals, second_totals: the values they reach at legal schedules, ascending; [A], [B].
        seconds: [A, B].
    """

    first: Channels
    second: Channels
    first_totals: IntArray
    second_totals: IntArray
    seconds: FloatArray


class Axis:
    """The values a channel count reaches, and where each stands among them."""

    def __init__(self, channels: Channels, space: SearchSpace) -> None:
        self.channels = channels
        self.totals: IntArray = np.array(reachable(channels, space), dtype=np.int64)
        self._place = np.zeros(int(self.totals[-1]) + 1, dtype=np.int64)
        self._place[self.totals] = np.arange(len(self.totals))

    def places(self, rows: IntArray) -> IntArray:
        """Positions among the totals for legal schedules; [N, G] -> [N]."""
        totals: IntArray = np.full(len(rows), self.channels.constant, dtype=np.int64)
        for group, multiple in self.channels.multiples:
            totals += multiple * rows[:, group]
        return self._place[totals]


class Axes:
    """One axis for each distinct channel count."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._known: dict[Channels, Axis] = {}

    def of(self, channels: Channels) -> Axis:
        """The axis of one channel count."""
        if channels not in self._known:
            self._known[channels] = Axis(channels, self._space)
        return self._known[channels]

    def outer(self, first: Channels, second: Channels) -> Grid:
        """The product of two channel counts."""
        values = np.outer(self.of(first).totals, self.of(second).totals).astype(float)
        return Grid(first, second, values)


def merged(grids: Iterable[Grid]) -> list[Grid]:
    """The same sum with one grid for each pair of channel counts."""
    sums: dict[tuple[Channels, Channels], FloatArray] = defaultdict(lambda: np.zeros(()))
    for grid in grids:
        pair, values = (grid.first, grid.second), grid.values
        if pair[1] < pair[0]:
            pair, values = (pair[1], pair[0]), values.T
        sums[pair] = sums[pair] + values
    return [Grid(first, second, values) for (first, second), values in sums.items()]
