"""Sums of tables over groups and pairs of groups: what the solver minimises, and its constraints.

Any vectorised function of a schedule is turned into such a sum around a point of reference, by
asking the function (a cut expansion; Rabitz and Alis, 1999, section 2). It is exact where the
function itself is a sum over single groups and pairs, as a latency table's is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from searchers.contract import FloatArray, Group, IntArray, Load

Pair = tuple[int, int]
_ROWS = 200_000
"""Schedules that are priced at a time."""
_MOST_PAIRS = 3
"""Pairs for each group: a layer has few neighbours; weaker ties of all with all are left out."""


@dataclass(frozen=True)
class TableSum:
    """constant + sum of singles[g][choice of g] + sum of pairs[a, b][choice of a, choice of b].

    Args:
        constant: added to every schedule.
        singles: one array for each of G groups, over its C_g choices.
        pairs: (a, b) with a < b -> [C_a, C_b].
    """

    constant: float
    singles: tuple[FloatArray, ...]
    pairs: dict[Pair, FloatArray]

    def __call__(self, places: npt.ArrayLike) -> FloatArray:
        """Values of schedules given as positions among the choices; [N, G] -> [N]."""
        rows = np.atleast_2d(np.asarray(places, dtype=np.int64))
        total = np.full(len(rows), self.constant)
        for group, values in enumerate(self.singles):
            total += values[rows[:, group]]
        for (a, b), values in self.pairs.items():
            total += values[rows[:, a], rows[:, b]]
        return total

    def plus(self, curves: Sequence[FloatArray], weight: float) -> TableSum:
        """This sum and ``weight`` times one array for each group."""
        added = zip(self.singles, curves, strict=True)
        singles = tuple(values + weight * curve for values, curve in added)
        return replace(self, singles=singles)


def places_of(groups: Sequence[Group], widths: npt.ArrayLike) -> IntArray:
    """Positions of legal widths among the choices; [..., G] -> [..., G]."""
    rows = np.asarray(widths)
    places = np.empty(rows.shape, dtype=np.int64)
    for index, group in enumerate(groups):
        places[..., index] = _array(group.choices).searchsorted(rows[..., index])
    return places


def widths_of(groups: Sequence[Group], places: npt.ArrayLike) -> IntArray:
    """The inverse of :func:`places_of`."""
    rows = np.asarray(places, dtype=np.int64)
    widths = np.empty(rows.shape, dtype=np.int64)
    for index, group in enumerate(groups):
        widths[..., index] = _array(group.choices)[rows[..., index]]
    return widths


@lru_cache(maxsize=4096)
def _array(choices: tuple[int, ...]) -> IntArray:
    """Kept, as making the array takes longer than looking up one schedule in it."""
    return np.array(choices, dtype=np.int64)


def expand(
    groups: Sequence[Group],
    function: Load,
    around: IntArray,
    tolerance: float = 1e-4,
) -> TableSum:
    """The sum of tables that agrees with ``function`` wherever at most two groups differ.

    Args:
        groups: G groups.
        function: widths [N, G] -> [N].
        around: the schedule the sum is exact around, [G].
        tolerance: pairs whose interaction is below this fraction of the function's range over
            single changes are taken to have none; of more than three for each group the strongest
            are kept.
    """
    moved = [_changed(around, group, widths) for group, widths in _choices(groups)]
    values = _asked(function, np.concatenate([around[None, :], *moved]))
    constant = float(values[0])
    ends = np.cumsum([len(rows) for rows in moved])[:-1]
    singles = tuple(part - constant for part in np.split(values[1:], ends))
    scale = max(float(np.ptp(values)), 1e-300)
    pairs = _interacting(groups, function, around, singles, constant, tolerance * scale)
    tables = {}
    for a, b in pairs:
        first, second = groups[a].choices, groups[b].choices
        rows = np.repeat(around[None, :], len(first) * len(second), axis=0)
        rows[:, a], rows[:, b] = np.repeat(first, len(second)), np.tile(second, len(first))
        both = _asked(function, rows).reshape(len(first), len(second))
        tables[a, b] = both - constant - singles[a][:, None] - singles[b][None, :]
    return TableSum(constant, singles, tables)


def _interacting(
    groups: Sequence[Group],
    function: Load,
    around: IntArray,
    singles: Sequence[FloatArray],
    constant: float,
    least: float,
) -> list[Pair]:
    """Pairs whose joint change is not the sum of two, at their ends and in their middle."""
    free = [index for index, group in enumerate(groups) if len(group.choices) > 1]
    found = list(combinations(free, 2))
    if not found:
        return []
    largest = np.zeros(len(found))
    for quantile in (0.0, 0.5, 1.0):
        at = [round(quantile * (len(group.choices) - 1)) for group in groups]
        rows = np.repeat(around[None, :], len(found), axis=0)
        sums = np.full(len(found), constant)
        for row, (a, b) in enumerate(found):
            for group in (a, b):
                rows[row, group] = groups[group].choices[at[group]]
                sums[row] += singles[group][at[group]]
        largest = np.maximum(largest, np.abs(_asked(function, rows) - sums))
    strongest = np.argsort(-largest, kind="stable")[: _MOST_PAIRS * len(groups)]
    return sorted(found[index] for index in strongest if largest[index] > least)


def _choices(groups: Sequence[Group]) -> list[tuple[int, tuple[int, ...]]]:
    return [(index, group.choices) for index, group in enumerate(groups)]


def _changed(around: IntArray, group: int, widths: Sequence[int]) -> IntArray:
    rows = np.repeat(around[None, :], len(widths), axis=0)
    rows[:, group] = widths
    return rows


def _asked(function: Load, rows: IntArray) -> FloatArray:
    floats = rows.astype(np.float64)
    parts = [function(floats[start : start + _ROWS]) for start in range(0, len(rows), _ROWS)]
    return np.concatenate(parts)
