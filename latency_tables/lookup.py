"""Looking latencies up: measured where there is a measurement, interpolated between neighbours.

Exact hits keep the staircases that a smooth fit would round off. Outside of what was measured
nothing is priced: a guess would look like a measurement to a search, which would then exploit it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from latency_tables.errors import MissingOperatorError
from latency_tables.operators import CONVOLUTIONS, Operator
from latency_tables.runtimes import normalised

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Points = dict[tuple[int, int], float]


@dataclass(frozen=True)
class Price:
    """A latency and where it comes from."""

    seconds: float
    source: Literal["measured", "interpolated"]


class Lookup:
    """Prices of operators over a fixed set of measurements.

    Args:
        seconds: median latency of each measured operator.
        runtime_name: the runtime whose normalisation applies to what is asked.
    """

    def __init__(self, seconds: Mapping[Operator, float], runtime_name: str) -> None:
        self._seconds = seconds
        self._runtime_name = runtime_name
        self._families: dict[Operator, Points] = defaultdict(dict)
        for op, value in seconds.items():
            for family in _families(op):
                self._families[family][op.in_channels, op.out_channels] = value

    def price(self, op: Operator) -> Price:
        """The latency of one operator, in seconds."""
        if _is_equal(op):
            seconds, measured = self.prices_equal(op, np.array([op.in_channels]))
        else:
            seconds, measured = self.prices(
                op, np.array([op.in_channels]), np.array([op.out_channels])
            )
        exact = bool(measured.all())
        return Price(float(seconds.squeeze()), "measured" if exact else "interpolated")

    def prices(
        self, op: Operator, in_channels: IntArray, out_channels: IntArray
    ) -> tuple[FloatArray, BoolArray]:
        """Latencies at every pair of widths, [A, B], and which were measured."""
        op = self.normalised(op)
        points = self._families.get(_family(op), {})
        exact = np.array(
            [[points.get((int(i), int(o)), np.nan) for o in out_channels] for i in in_channels]
        ).reshape(len(in_channels), len(out_channels))
        measured = ~np.isnan(exact)
        seconds = exact
        if points and not measured.all():
            seconds = _filled(seconds, _bilinear(points, in_channels, out_channels))
            swapped = {(o, i): value for (i, o), value in points.items()}
            seconds = _filled(seconds, _bilinear(swapped, out_channels, in_channels).T)
        for row, column in np.argwhere(np.isnan(seconds))[:1]:
            raise self._missing(op, int(in_channels[row]), int(out_channels[column]), points)
        return seconds, measured

    def prices_equal(self, op: Operator, channels: IntArray) -> tuple[FloatArray, BoolArray]:
        """Latencies at widths that inputs and outputs share, [A], and which were measured."""
        op = self.normalised(op)
        family = self._families.get(_family(op), {})
        points = {i: value for (i, o), value in family.items() if i == o}
        measured = np.array([int(width) in points for width in channels], dtype=bool)
        xs = np.array(sorted(points), dtype=np.float64)
        seconds = _linear(xs, np.array([points[int(x)] for x in xs]), channels)
        for index in np.flatnonzero(np.isnan(seconds))[:1]:
            width = int(channels[index])
            equal = {(width, width): value for width, value in points.items()}
            raise self._missing(op, width, width, equal)
        return seconds, measured

    def normalised(self, op: Operator) -> Operator:
        """The operator as the measured ones are named."""
        return normalised(op, self._runtime_name)

    def _missing(
        self, op: Operator, in_channels: int, out_channels: int, points: Points
    ) -> MissingOperatorError:
        asked = op.with_channels(in_channels, out_channels)
        if points:
            near = min(
                points, key=lambda p: (abs(p[0] - in_channels) + abs(p[1] - out_channels), p)
            )
            nearest = (
                f"nearest measured {near[0]}->{near[1]}; widths are interpolated only between "
                "measured ones"
            )
        else:
            nearest = f"no width of this operator was measured: {_traits(asked)}"
        return MissingOperatorError(
            f"no latency for {asked.label} on this table ({nearest}): "
            "measure it with 'autoprune latency measure'"
        )


def _is_equal(op: Operator) -> bool:
    return op.keeps_channels and op.in_channels == op.out_channels


def _family(op: Operator) -> Operator:
    """What operators that differ in widths alone have in common."""
    groups = 0 if op.depthwise else op.groups
    return replace(op, in_channels=0, out_channels=0, groups=groups)


def _families(op: Operator) -> set[Operator]:
    family = _family(op)
    if op.kind in CONVOLUTIONS and op.in_channels == op.out_channels == op.groups:
        # One channel a group: both depthwise and the narrowest of the convolutions with as many
        # groups (with one group: of the dense ones).
        return {replace(family, groups=0), replace(family, groups=op.groups)}
    return {family}


def _traits(op: Operator) -> str:
    plain = Operator(op.kind, op.in_channels, op.out_channels, op.height, op.width, op.kernel)
    told = [
        f"{name}={value}"
        for name, value in op.to_json().items()
        if value != plain.to_json().get(name)
    ]
    return ", ".join(told) or "plain"


def _filled(seconds: FloatArray, other: FloatArray) -> FloatArray:
    return np.where(np.isnan(seconds), other, seconds)


def _linear(xs: FloatArray, ys: FloatArray, at: npt.NDArray[np.number]) -> FloatArray:
    """Piecewise linear through (xs, ys); NaN outside of them."""
    if len(xs) == 0:
        return np.full(len(at), np.nan)
    return np.interp(at.astype(np.float64), xs, ys, left=np.nan, right=np.nan)


def _bilinear(points: Points, first: IntArray, second: IntArray) -> FloatArray:
    """First along each measured row, then across the rows that reach; [A, B], NaN where none does.

    On a full grid this is bilinear interpolation between the four neighbours; a grid with holes
    (two layers of one signature with different legal widths) is bridged over the hole.
    """
    rows: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for (x, y), value in sorted(points.items()):
        rows[x].append((y, value))
    xs = np.array(sorted(rows), dtype=np.float64)
    curves = [np.array(rows[int(x)]).T for x in xs]
    along = np.stack([_linear(ys, values, second) for ys, values in curves])
    result = np.full((len(first), len(second)), np.nan)
    for column in range(len(second)):
        reach = ~np.isnan(along[:, column])
        result[:, column] = _linear(xs[reach], along[reach, column], first)
    return result
