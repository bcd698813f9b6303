"""Calibrated latencies of whole arrays of schedules, with no more look-ups than the law needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from math import isinf

from autoprune.pruning.pair_grids import FloatArray, Grid, IntArray, merged
from autoprune.pruning.table_sum import TableSums
from latency_tables.law import Law
from latency_tables.network_sums import NetworkSums

Grids = Sequence[Grid]


class LatencySum:
    """Sums of a table's prices and of the weights, brought together by a calibration's law.

    Where all weights stay near, latency is one sum of scaled prices; where a cache is too small for
    them, three sums are taken at once.

    Args:
        hot: operators called again at once, in seconds.
        cold: makes the same of operators called after many others; asked only where it is needed.
        weight_bytes: of the parameters.
        summed: builds sums over the space.
        law: None for plain sums.
    """

    def __init__(
        self,
        hot: Grids,
        cold: Callable[[], Grids],
        weight_bytes: Grids,
        summed: Callable[[Sequence[Grids]], TableSums],
        law: Law | None,
    ) -> None:
        self._hot, self._make_cold, self._bytes = hot, cold, weight_bytes
        self._summed, self._law = summed, law

    def __call__(self, rows: IntArray) -> FloatArray:
        """Seconds of each schedule; [N, G] -> [N]."""
        if self._law is None:
            return self.hot(rows)
        if isinf(self._law.cache_bytes):
            return self._law.finish(self._scaled_sum(rows)[0])
        return self._law.predict(self.network_sums(rows))

    def network_sums(self, rows: IntArray) -> NetworkSums:
        """What a law is fitted on; [N, G] -> N networks."""
        return NetworkSums(*self._apart(rows))

    def hot(self, rows: IntArray) -> FloatArray:
        """Plain sums of prices, in seconds; [N, G] -> [N]."""
        total: FloatArray = self._hot_sum(rows)[0]
        return total

    @cached_property
    def scaled(self) -> Grids:
        """Grids whose sum is the latency, but for the offset and weights beyond the cache."""
        if self._law is None:
            return self._hot
        return merged(
            [
                *(_times(self._law.scale, grid) for grid in self._hot),
                *(_times(self._law.seconds_per_byte, grid) for grid in self._bytes),
            ]
        )

    @cached_property
    def _hot_sum(self) -> TableSums:
        return self._summed([self._hot])

    @cached_property
    def _scaled_sum(self) -> TableSums:
        return self._summed([self.scaled])

    @cached_property
    def _apart(self) -> TableSums:
        return self._summed([self._hot, self._make_cold(), self._bytes])


def _times(factor: float, grid: Grid) -> Grid:
    return Grid(grid.first, grid.second, factor * grid.values)
