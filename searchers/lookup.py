"""Latencies looked up in tables by the widths of groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from searchers.contract import FloatArray, Group, IntArray, ProblemError


@dataclass(frozen=True, eq=False)
class TableSums:
    """Widths [N, G] -> seconds [N].

    Args:
        groups: G of them.
        tables: indices of groups, and seconds with one axis for each of these.
    """

    groups: tuple[Group, ...]
    tables: tuple[tuple[tuple[int, ...], FloatArray], ...]

    def __call__(self, widths: FloatArray) -> FloatArray:
        """Add up every table's entry for each row."""
        positions = self._positions(widths)
        total = np.zeros(len(widths), dtype=np.float64)
        for indices, table in self.tables:
            total += table[tuple(positions[:, index] for index in indices)]
        return total

    @cached_property
    def _position(self) -> IntArray:
        """Position of a width among its group's choices, -1 where it is none; [G, units + 1]."""
        most = max(group.units for group in self.groups)
        position = np.full((len(self.groups), most + 1), -1, dtype=np.int64)
        for row, group in zip(position, self.groups, strict=True):
            row[list(group.choices)] = np.arange(len(group.choices))
        return position

    def _positions(self, widths: FloatArray) -> IntArray:
        """Positions [N, G] of widths [N, G] among the choices."""
        if widths.ndim != 2 or widths.shape[1] != len(self.groups):
            raise ProblemError(
                f"expected widths of shape [N, {len(self.groups)}], got {list(widths.shape)}"
            )
        inside = (widths >= 0.0) & (widths < self._position.shape[1])
        whole = np.where(inside, widths, 0.0).astype(np.int64)
        found = self._position[np.arange(len(self.groups)), whole]
        wrong = np.argwhere((found < 0) | (whole != widths))
        if len(wrong):
            row, index = wrong[0]
            group = self.groups[index]
            raise ProblemError(
                f"group {group.name!r}: no latency for width {widths[row, index]:g}; its choices "
                f"are {', '.join(map(str, group.choices))}"
            )
        return found


@dataclass(frozen=True, eq=False)
class TableLoad:
    """Widths [N, G] -> latency over the budget [N]; a class, so that it can be sent to workers."""

    seconds: TableSums
    budget_s: float

    def __call__(self, widths: FloatArray) -> FloatArray:
        """Price every row."""
        return self.seconds(widths) / self.budget_s
