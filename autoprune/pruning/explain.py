"""Where the time goes: what makes up the floor, and what each group of a schedule saves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from autoprune.pruning.pair_grids import Axes, FloatArray, Grid, IntArray
from autoprune.pruning.pricing import Priced
from autoprune.pruning.space import SearchSpace

_ALL_ORDERS = 4


@dataclass(frozen=True)
class FloorTerm:
    """What one layer costs at the narrowest schedule, in seconds."""

    layer: str
    operator: str
    seconds: float


def floor_terms(priced: Iterable[Priced], axes: Axes, space: SearchSpace) -> list[FloorTerm]:
    """Every operator's cost at the narrowest schedule, the costliest first."""
    floor = np.array([space.narrowest], dtype=np.int64)
    costs = []
    for each in priced:
        label = each.term.at(floor[0].tolist()).label
        costs.append(FloorTerm(each.term.layer, label, float(_at(each.seconds, axes, floor)[0])))
    return sorted(costs, key=lambda cost: -cost.seconds)


def layer_sums(priced: Iterable[Priced], axes: Axes, rows: IntArray) -> dict[str, FloatArray]:
    """The summed prices of each layer's operators, in seconds.

    Args:
        rows: legal schedules, [N, G].

    Returns:
        layer -> [N], in network order; what runs between two layers counts by its own name.
    """
    found: dict[str, FloatArray] = {}
    for each in priced:
        seconds = _at(each.seconds, axes, rows)
        layer = each.term.layer
        found[layer] = found[layer] + seconds if layer in found else seconds
    return found


def fair_savings(
    grids: Iterable[Grid], axes: Axes, full: Sequence[int], rows: IntArray
) -> FloatArray:
    """How much less each group makes the grids' sum than at full width.

    The groups' shares of one grid's saving are their Shapley values: the groups are narrowed one
    after the other, and what each step saves is averaged over all orders. For the two groups of
    most grids that is the mean of narrowing one first and narrowing it last. Of more than four
    groups (a concatenation) two orders are taken, the network's and its reverse. Either way a
    schedule's shares sum to sum(full) - sum(schedule).

    Args:
        grids: with one grid per pair of channel counts.
        axes: of the space.
        full: widths of the unpruned network, [G].
        rows: legal schedules, [N, G].

    Returns:
        Of the grids' unit, [N, G].
    """
    savings = np.zeros(rows.shape)
    for grid in grids:
        groups = sorted(
            {group for side in (grid.first, grid.second) for group, _ in side.multiples}
        )
        orders = (
            list(permutations(groups))
            if len(groups) <= _ALL_ORDERS
            else [tuple(groups), tuple(reversed(groups))]
        )
        known: dict[frozenset[int], FloatArray] = {}
        for order in orders:
            for position, group in enumerate(order):
                before, after = (
                    _narrowed(grid, axes, full, rows, frozenset(order[:count]), known)
                    for count in (position, position + 1)
                )
                savings[:, group] += (before - after) / len(orders)
    return savings


def _narrowed(
    grid: Grid,
    axes: Axes,
    full: Sequence[int],
    rows: IntArray,
    groups: frozenset[int],
    known: dict[frozenset[int], FloatArray],
) -> FloatArray:
    """The grid with some groups at the schedules' widths and the rest at full width, [N]."""
    if groups not in known:
        mixed = np.tile(np.asarray(full, dtype=np.int64), (len(rows), 1))
        for group in groups:
            mixed[:, group] = rows[:, group]
        known[groups] = _at(grid, axes, mixed)
    return known[groups]


def _at(grid: Grid, axes: Axes, rows: IntArray) -> FloatArray:
    """Values at legal schedules; [N, G] -> [N]."""
    return grid.values[axes.of(grid.first).places(rows), axes.of(grid.second).places(rows)]
