"""What schedules cost: latency by a table, multiply-adds, parameters; whole arrays at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from autoprune.errors import ModelError, TableError
from autoprune.pruning.explain import FloorTerm, fair_savings, floor_terms, layer_sums
from autoprune.pruning.latency_sum import LatencySum
from autoprune.pruning.network import Network
from autoprune.pruning.pair_grids import Axes, FloatArray, Grid, IntArray, PairGrid, merged
from autoprune.pruning.pricing import Priced, price
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.table_sum import TableSum, TableSums
from autoprune.pruning.terms import Term
from latency_tables.calibration import Calibration
from latency_tables.network_sums import NetworkSums
from latency_tables.table import Table


class CostModel:
    """Costs of schedules, given as widths [N, G] in the order of the space's groups.

    Every call is table look-ups: each operator's price at all its legal widths is known from the
    start, and operators between the same groups are summed beforehand.

    Args:
        space: the groups and their legal widths.
        network: read from the same model and space.
        table: prices of operators; without one there is no latency.
        calibration: from summed prices to the latency of the whole network.

    Raises:
        TableError: the table lacks an operator the network needs.
    """

    def __init__(
        self,
        space: SearchSpace,
        network: Network,
        table: Table | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self._space = space
        self._axes = Axes(space)
        self._macs = self._summed(self._mac_grid(term) for term in network.terms if term.macs)
        parameters = [
            _scaled(p.coefficient, self._axes.outer(p.first, p.second)) for p in network.parameters
        ]
        self._params = self._summed(parameters)
        self._priced: list[Priced] = []
        self._grids: list[Grid] = []
        self._latency: LatencySum | None = None
        if table is not None:
            self._priced = price(network.terms, self._axes, table)
            self._grids = merged(each.seconds for each in self._priced)
            self._latency = LatencySum(
                self._grids,
                lambda: [each.seconds for each in price(network.terms, self._axes, table.cold)],
                [_scaled(table.context.bytes_per_value, grid) for grid in parameters],
                lambda sums: TableSums(sums, self._axes, space),
                None if calibration is None else calibration.law,
            )

    def sums(self, widths: npt.ArrayLike) -> FloatArray:
        """Summed operator prices of each schedule, in seconds; widths [N, G] -> [N].

        Raises:
            TableError: the model was built without a table.
            ModelError: a width is not legal.
        """
        return self._latency_sum().hot(self._rows(widths))

    def network_sums(self, widths: npt.ArrayLike) -> NetworkSums:
        """What a calibration is fitted on, of each schedule; widths [N, G] -> N networks."""
        rows = self._rows(widths)
        return self._latency_sum().network_sums(rows)

    def latency(self, widths: npt.ArrayLike) -> FloatArray:
        """Calibrated latency in seconds; widths [N, G] -> [N]."""
        return self._latency_sum()(self._rows(widths))

    def macs(self, widths: npt.ArrayLike) -> FloatArray:
        """Multiply-adds of convolutions and linear layers for one image; [N, G] -> [N]."""
        return self._macs(self._rows(widths))

    def params(self, widths: npt.ArrayLike) -> FloatArray:
        """Number of parameters; [N, G] -> [N]."""
        return self._params(self._rows(widths))

    def savings(self, widths: npt.ArrayLike) -> FloatArray:
        """Seconds that each group saves against the unpruned network; [N, G] -> [N, G].

        Prices of pairs of groups are no sums of two: what a pair saves is split fairly, as
        :func:`~autoprune.pruning.explain.fair_savings` defines it. The calibration's slope between
        the two networks then turns sums into latency, so that a schedule's savings add up to
        latency(unpruned) - latency(schedule). Wider channels that are faster save a negative time.
        """
        rows = self._rows(widths)
        full = [group.units for group in self._space.groups]
        shares = fair_savings(self._latency_sum().scaled, self._axes, full, rows)
        saved = self.latency(full)[0] - self.latency(rows)
        total = shares.sum(axis=1)
        slope = np.ones(len(rows))
        np.divide(saved, total, out=slope, where=np.abs(total) > 1e-12 * saved.max(initial=1e-9))
        return shares * slope[:, None]

    def layer_shares(self, widths: npt.ArrayLike) -> dict[str, float]:
        """Each layer's share of one schedule's summed operator prices; widths [G].

        Raises:
            TableError: the model was built without a table.
            ModelError: a width is not legal.
        """
        rows = self._rows(widths)
        self._latency_sum()
        sums = layer_sums(self._priced, self._axes, rows)
        total = sum(float(seconds[0]) for seconds in sums.values())
        return {name: float(seconds[0]) / total for name, seconds in sums.items()}

    def pair_grids(self) -> Sequence[PairGrid]:
        """The summed prices over every pair of channel counts that operators lie between.

        Raises:
            TableError: the model was built without a table.
        """
        self._latency_sum()
        totals = self._axes.of
        return [
            PairGrid(g.first, g.second, totals(g.first).totals, totals(g.second).totals, g.values)
            for g in self._grids
        ]

    def interpolated_share(self, widths: npt.ArrayLike | None = None) -> float:
        """Fraction in [0, 1] of looked-up prices that are interpolated, not measured.

        Args:
            widths: the schedules [N, G] that look them up; None takes every legal price once.
        """
        self._latency_sum()
        grids = [each.interpolated for each in self._priced]
        if widths is not None:
            return float(self._summed(grids)(self._rows(widths)).mean()) / len(grids)
        return sum(float(g.values.sum()) for g in grids) / sum(g.values.size for g in grids)

    def explain_floor(self) -> list[FloorTerm]:
        """Every operator's cost at the narrowest schedule, the costliest first."""
        self._latency_sum()
        return floor_terms(self._priced, self._axes, self._space)

    def _latency_sum(self) -> LatencySum:
        if self._latency is None:
            raise TableError(
                "this cost model has no latency table: measure one with 'autoprune latency "
                "measure', or budget macs= or params= instead"
            )
        return self._latency

    def _rows(self, widths: npt.ArrayLike) -> IntArray:
        rows = np.atleast_2d(np.asarray(widths)).astype(np.int64, copy=False)
        if rows.shape[1] != len(self._space.groups):
            raise ModelError(
                f"expected {len(self._space.groups)} widths a schedule, got {rows.shape[1]}"
            )
        return rows

    def _summed(self, grids: Iterable[Grid]) -> TableSum:
        return TableSum(grids, self._axes, self._space)

    def _mac_grid(self, term: Term) -> Grid:
        return _scaled(term.macs_each, self._axes.outer(*term.sides))


def _scaled(factor: float, grid: Grid) -> Grid:
    return Grid(grid.first, grid.second, factor * grid.values)
