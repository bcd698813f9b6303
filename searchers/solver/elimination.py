"""The minimum of a sum of tables without constraints, exactly, by eliminating one group at a time.

Bucket elimination (Dechter, 1999, section 3): all tables that mention a group are added up, and the
group is minimised out; what is left is a table over its neighbours. Networks are nearly trees, so
these stay small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from searchers.contract import FloatArray, IntArray
from searchers.solver.tables import Pair, TableSum

_LARGEST = 1 << 17
"""Values of a table up to which elimination is worth it."""


@dataclass(frozen=True)
class Order:
    """Groups in the order of their elimination, each with the neighbours it then has."""

    steps: tuple[tuple[int, tuple[int, ...]], ...]


def order_of(sizes: tuple[int, ...], pairs: list[Pair]) -> Order | None:
    """The group with the fewest neighbours first; None where a table would become too large."""
    neighbours: dict[int, set[int]] = {group: set() for group in range(len(sizes))}
    for a, b in pairs:
        neighbours[a].add(b)
        neighbours[b].add(a)
    steps = []
    while neighbours:
        group = min(neighbours, key=lambda g: (len(neighbours[g]), g))
        around = neighbours.pop(group)
        if sizes[group] * np.prod([sizes[other] for other in around], dtype=float) > _LARGEST:
            return None
        for other in around:
            neighbours[other] |= around - {other}
            neighbours[other].discard(group)
        steps.append((group, tuple(sorted(around))))
    return Order(tuple(steps))


def minimum(table: TableSum, order: Order) -> IntArray:
    """Positions among the choices that minimise the sum; [G]."""
    factors: list[tuple[tuple[int, ...], FloatArray]] = [
        *(((group,), values) for group, values in enumerate(table.singles)),
        *table.pairs.items(),
    ]
    chosen: list[tuple[int, tuple[int, ...], IntArray]] = []
    for group, around in order.steps:
        axes = (*around, group)
        total: FloatArray = np.zeros((1,) * len(axes))
        for scope, values in factors:
            if group in scope:
                total = total + _aligned(scope, values, axes)
        total = np.broadcast_to(total, (*total.shape[:-1], len(table.singles[group])))
        factors = [factor for factor in factors if group not in factor[0]]
        factors.append((around, total.min(axis=-1)))
        chosen.append((group, around, total.argmin(axis=-1)))
    places = np.zeros(len(table.singles), dtype=np.int64)
    for group, around, best in reversed(chosen):
        places[group] = best[
            tuple(min(places[a], n - 1) for a, n in zip(around, best.shape, strict=True))
        ]
    return places


def _aligned(scope: tuple[int, ...], values: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """The table with one axis for each of ``axes``, in their order; length 1 where it has none."""
    order = sorted(range(len(scope)), key=lambda index: axes.index(scope[index]))
    shape = [values.shape[scope.index(axis)] if axis in scope else 1 for axis in axes]
    return values.transpose(order).reshape(shape)
