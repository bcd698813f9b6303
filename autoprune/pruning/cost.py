"""What schedules cost: latency by a table, multiply-adds, parameters; whole arrays at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autoprune.errors import ModelError, TableError
from autoprune.pruning.channels import Channels
from autoprune.pruning.network import Network, reachable
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.terms import Term
from latency_tables.calibration import Calibration
from latency_tables.errors import MissingOperatorError
from latency_tables.table import Table

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_ONE = Channels(1)


@dataclass(frozen=True)
class FloorTerm:
    """What one layer costs at the narrowest schedule, in seconds."""

    layer: str
    operator: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.layer} ({self.operator}) {self.seconds * 1e3:.4f} ms"


@dataclass(frozen=True)
class PairGrid:
    """What all operators over one pair of channel counts cost together.

    Args:
        first, second: the channel counts as functions of the widths.
        first_totals, second_totals: the values they reach, ascending; [A] and [B].
        seconds: the summed prices; [A, B].
    """

    first: Channels
    second: Channels
    first_totals: IntArray
    second_totals: IntArray
    seconds: FloatArray


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
        self._calibration = calibration
        self._axes = _Axes(space)
        self._macs = self._summed(self._mac_grid(term) for term in network.terms if term.macs)
        self._params = self._summed(
            _Grid(p.first, p.second, p.coefficient * self._outer(p.first, p.second))
            for p in network.parameters
        )
        self._priced: list[_Priced] = []
        self._seconds: _Sum | None = None
        if table is not None:
            self._priced = _price(network.terms, self._axes, table)
            self._seconds = self._summed(each.seconds for each in self._priced)
            self._interpolated = self._summed(each.interpolated for each in self._priced)

    def sums(self, widths: npt.ArrayLike) -> FloatArray:
        """Summed operator prices of each schedule, in seconds; widths [N, G] -> [N].

        Raises:
            TableError: the model was built without a table.
            ModelError: a width is not legal.
        """
        return self._latency_sum()(self._rows(widths))

    def latency(self, widths: npt.ArrayLike) -> FloatArray:
        """Calibrated latency in seconds; widths [N, G] -> [N]."""
        sums = self.sums(widths)
        if self._calibration is None:
            return sums
        return np.asarray(self._calibration.predict(sums), dtype=np.float64)

    def macs(self, widths: npt.ArrayLike) -> FloatArray:
        """Multiply-adds of convolutions and linear layers for one image; [N, G] -> [N]."""
        return self._macs(self._rows(widths))

    def params(self, widths: npt.ArrayLike) -> FloatArray:
        """Number of parameters; [N, G] -> [N]."""
        return self._params(self._rows(widths))

    def pair_grids(self) -> tuple[PairGrid, ...]:
        """The summed operator prices over each pair of channel counts.

        A schedule's :meth:`sums` is the sum of one value of each grid.

        Raises:
            TableError: the model was built without a table.
        """
        grids = self._latency_sum().grids()
        return tuple(
            PairGrid(
                first, second, self._axes.of(first).totals, self._axes.of(second).totals, seconds
            )
            for (first, second), seconds in grids.items()
        )

    def interpolated_share(self, widths: npt.ArrayLike | None = None) -> float:
        """Fraction in [0, 1] of looked-up prices that are interpolated, not measured.

        Args:
            widths: the schedules [N, G] that look them up; None takes every legal price once.
        """
        self._latency_sum()
        if widths is not None:
            return float(self._interpolated(self._rows(widths)).mean()) / len(self._priced)
        grids = [each.interpolated.values for each in self._priced]
        return sum(float(grid.sum()) for grid in grids) / sum(grid.size for grid in grids)

    def explain_floor(self) -> list[FloorTerm]:
        """Every operator's cost at the narrowest schedule, the costliest first."""
        self._latency_sum()
        floor = [group.choices[0] for group in self._space.groups]
        costs = []
        for each in self._priced:
            op, grid = each.term.operator, each.seconds
            ins, outs = each.term.inputs.at(floor), each.term.outputs.at(floor)
            row = self._axes.of(grid.first).index(grid.first.at(floor))
            column = self._axes.of(grid.second).index(grid.second.at(floor))
            label = op.with_channels(ins, outs).label
            costs.append(FloorTerm(each.term.layer, label, float(grid.values[row, column])))
        return sorted(costs, key=lambda cost: -cost.seconds)

    def _latency_sum(self) -> _Sum:
        if self._seconds is None:
            raise TableError(
                "this cost model has no latency table: measure one with 'autoprune latency "
                "measure', or budget macs= or params= instead"
            )
        return self._seconds

    def _rows(self, widths: npt.ArrayLike) -> IntArray:
        rows = np.atleast_2d(np.asarray(widths)).astype(np.int64, copy=False)
        if rows.shape[1] != len(self._space.groups):
            raise ModelError(
                f"expected {len(self._space.groups)} widths a schedule, got {rows.shape[1]}"
            )
        return rows

    def _summed(self, grids: Iterable[_Grid]) -> _Sum:
        return _Sum(grids, self._axes, self._space)

    def _outer(self, first: Channels, second: Channels) -> FloatArray:
        return np.outer(self._axes.of(first).totals, self._axes.of(second).totals).astype(float)

    def _mac_grid(self, term: Term) -> _Grid:
        inputs = _ONE if term.equal else term.inputs
        return _Grid(inputs, term.outputs, term.macs * self._outer(inputs, term.outputs))


@dataclass(frozen=True)
class _Grid:
    """Values at every pair of reachable channel counts, [A, B]."""

    first: Channels
    second: Channels
    values: FloatArray


@dataclass(frozen=True)
class _Priced:
    term: Term
    seconds: _Grid
    interpolated: _Grid


def _price(terms: Iterable[Term], axes: _Axes, table: Table) -> list[_Priced]:
    known: dict[tuple[object, ...], tuple[FloatArray, FloatArray]] = {}
    priced = []
    for term in terms:
        first, second = term.inputs, _ONE if term.equal else term.outputs
        ins, outs = axes.of(first).totals, axes.of(second).totals
        key = (term.operator, tuple(ins), tuple(outs))
        if key not in known:
            known[key] = _ask(table, term, ins, outs)
        seconds, interpolated = known[key]
        priced.append(
            _Priced(term, _Grid(first, second, seconds), _Grid(first, second, interpolated))
        )
    return priced


def _ask(table: Table, term: Term, ins: IntArray, outs: IntArray) -> tuple[FloatArray, FloatArray]:
    """Seconds and whether interpolated, both [A, B]."""
    try:
        if term.equal:
            seconds, measured = table.prices_equal(term.operator, ins)
            seconds, measured = seconds[:, None], measured[:, None]
        else:
            seconds, measured = table.prices(term.operator, ins, outs)
    except MissingOperatorError as error:
        raise TableError(f"layer {term.layer!r}: {error}") from error
    return seconds, (~measured).astype(np.float64)


class _Axis:
    """The values a channel count reaches, and where each stands among them."""

    def __init__(self, channels: Channels, space: SearchSpace) -> None:
        self.totals: IntArray = np.array(reachable(channels, space), dtype=np.int64)
        self._channels = channels
        # One place more than there are totals stands for whatever is not legal.
        self._place = np.full(int(self.totals[-1]) + 2, len(self.totals), dtype=np.int64)
        self._place[self.totals] = np.arange(len(self.totals))

    def index(self, total: int) -> int:
        """Position of one total."""
        return int(self._place[total])

    def places(self, rows: IntArray) -> IntArray:
        """Positions for schedules [N, G]; [N], or [1] where no group counts."""
        if not self._channels.multiples:
            return np.zeros(1, dtype=np.int64)
        totals: IntArray = np.full(len(rows), self._channels.constant, dtype=np.int64)
        for group, multiple in self._channels.multiples:
            totals += multiple * rows[:, group]
        return self._place[np.clip(totals, 0, len(self._place) - 1)]


class _Axes:
    """One axis for each distinct channel count."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._known: dict[Channels, _Axis] = {}

    def of(self, channels: Channels) -> _Axis:
        if channels not in self._known:
            self._known[channels] = _Axis(channels, self._space)
        return self._known[channels]


class _Sum:
    """The sum of grids, those over the same pair of channel counts added up beforehand."""

    def __init__(self, grids: Iterable[_Grid], axes: _Axes, space: SearchSpace) -> None:
        self._axes = axes
        self._groups = space.groups
        merged: dict[tuple[Channels, Channels], FloatArray] = defaultdict(lambda: np.zeros(()))
        for grid in grids:
            pair, values = (grid.first, grid.second), grid.values
            if pair[1] < pair[0]:
                pair, values = (pair[1], pair[0]), values.T
            merged[pair] = merged[pair] + values
        self._tables = {
            pair: np.pad(values, (0, 1), constant_values=np.nan) for pair, values in merged.items()
        }

    def grids(self) -> dict[tuple[Channels, Channels], FloatArray]:
        """The summed values [A, B] of each pair of channel counts."""
        return {pair: values[:-1, :-1] for pair, values in self._tables.items()}

    def __call__(self, rows: IntArray) -> FloatArray:
        places: dict[Channels, IntArray] = {}
        total: FloatArray = np.zeros(len(rows), dtype=np.float64)
        for (first, second), values in self._tables.items():
            for channels in (first, second):
                if channels not in places:
                    places[channels] = self._axes.of(channels).places(rows)
            flat = places[first] * values.shape[1] + places[second]
            total += values.reshape(-1)[flat]
        if np.isnan(total).any():
            self._refuse(rows[np.isnan(total)][0])
        return total

    def _refuse(self, row: IntArray) -> None:
        for group, width in zip(self._groups, row, strict=True):
            if width not in group.choices:
                raise ModelError(
                    f"group {group.name!r}: width {width} is not one of {group.choices}"
                )
        raise ModelError(f"the schedule {row.tolist()} has no price")
