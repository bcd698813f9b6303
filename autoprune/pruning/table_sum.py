"""A sum of grids for whole arrays of schedules, as few table look-ups as will do.

Grids of one variable and constants disappear into others, and grids that share a channel count are
multiplied out to one table while that table stays in the first-level cache: two convolutions on one
residual stream cost one look-up. Schedules are taken in blocks, so that what is computed of a block
stays in cache as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from autoprune.errors import ModelError
from autoprune.pruning.channels import Channels
from autoprune.pruning.pair_grids import Axes, FloatArray, Grid, IntArray, merged
from autoprune.pruning.space import SearchSpace

BLOCK = 4096
"""Schedules at a time: enough to forget what a call costs, few enough to stay in cache."""
LARGEST = 4096
"""Values of a table made of several grids: 32 KiB, a first-level cache."""
_ILLEGAL = 1 << 40
"""An offset beyond any table; few of them add up without overflow."""

Variables = tuple[Channels, ...]


@dataclass(frozen=True)
class _Gather:
    """One table for each of K sums, flat, with NaN behind its end, and which offsets lead in.

    Args:
        values: [K, size + 1].
        offsets: variables with their strides.
    """

    values: FloatArray
    offsets: tuple[tuple[Channels, int], ...]


class TableSum:
    """The sum of grids at schedules [N, G] -> [N]; thread-safe.

    Args:
        grids: what is added up.
        axes: of the space.
        space: the groups, whose legal widths are the only ones taken.
    """

    def __init__(self, grids: Iterable[Grid], axes: Axes, space: SearchSpace) -> None:
        self._sums = TableSums([grids], axes, space)

    def __call__(self, rows: IntArray) -> FloatArray:
        """The sums; a ModelError names the first group with a width that is not legal."""
        total: FloatArray = self._sums(rows)[0]
        return total


class TableSums:
    """K sums of grids at the same schedules, [N, G] -> [K, N]; thread-safe.

    To find the places in the tables takes longer than to read them: a second sum costs less than
    the first.

    Args:
        sums: the grids of each.
        axes: of the space.
        space: the groups, whose legal widths are the only ones taken.
    """

    def __init__(self, sums: Sequence[Iterable[Grid]], axes: Axes, space: SearchSpace) -> None:
        self._groups = space.groups
        self._axes = axes
        split = [_parts(merged(grids)) for grids in sums]
        self._constants = np.array([constant for constant, _ in split])
        of_sums = [parts for _, parts in split]
        parts = list(dict.fromkeys(variables for each in of_sums for variables in each))
        uses = Counter(variable for variables in parts for variable in variables)
        self._gathers = [
            self._gather(sorted(variables, key=lambda v: (-uses[v], v)), members, of_sums)
            for variables, members in _bins(parts, self._sizes(parts))
        ]
        self._shifts = {
            (variable, stride): self._lookup(variable, stride)
            for gather in self._gathers
            for variable, stride in gather.offsets
        }
        self._units = {
            term: _within(space.groups[term[0]].choices, term[1])
            for variable, _ in self._shifts
            for term in variable.multiples
            if len(variable.multiples) > 1
        }

    def __call__(self, rows: IntArray) -> FloatArray:
        """The sums; a ModelError names the first group with a width that is not legal."""
        totals: FloatArray = np.repeat(self._constants[:, None], len(rows), axis=1)
        size = min(BLOCK, len(rows))
        columns = np.empty((rows.shape[1], size), dtype=np.int64)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            np.copyto(columns[:, : len(block)], block.T)
            self._add_block(columns[:, : len(block)], totals[:, start : start + BLOCK])
        wrong = np.isnan(totals[0])
        if wrong.any():
            self._refuse(rows[wrong][0])
        return totals

    def _add_block(self, columns: IntArray, totals: FloatArray) -> None:
        shifts: dict[tuple[Channels, int], IntArray] = {}
        flat = np.empty(totals.shape[1], dtype=np.int64)
        found = np.empty(totals.shape[1])
        for gather in self._gathers:
            for key in gather.offsets:
                if key not in shifts:
                    shifts[key] = self._shift(key, columns)
            at = shifts[gather.offsets[0]]
            for key in gather.offsets[1:]:
                at = np.add(at, shifts[key], out=flat)
            for total, values in zip(totals, gather.values, strict=True):
                # Clipping sends what is not legal to the NaN, and spares take a copy.
                np.take(values, at, out=found, mode="clip")
                total += found

    def _shift(self, key: tuple[Channels, int], columns: IntArray) -> IntArray:
        """How far into a table one variable leads, [N]."""
        variable, _ = key
        (group, _), *others = variable.multiples
        count: IntArray = columns[group]
        if others:
            count = np.full(columns.shape[1], variable.constant, dtype=np.int64)
            for term in variable.multiples:
                count += np.take(self._units[term], columns[term[0]], mode="clip")
        shift: IntArray = np.take(self._shifts[key], count, mode="clip")
        return shift

    def _lookup(self, variable: Channels, stride: int) -> IntArray:
        totals = self._axes.of(variable).totals
        places: IntArray = np.full(int(totals[-1]) + 2, _ILLEGAL, dtype=np.int64)
        places[totals] = stride * np.arange(len(totals))
        return places

    def _sizes(self, parts: Iterable[Variables]) -> dict[Channels, int]:
        return {v: len(self._axes.of(v).totals) for variables in parts for v in variables}

    def _gather(
        self,
        variables: Sequence[Channels],
        members: Sequence[Variables],
        of_sums: Sequence[dict[Variables, FloatArray]],
    ) -> _Gather:
        """Tables over ``variables``; those many tables use come first, with equal strides."""
        shape = [len(self._axes.of(variable).totals) for variable in variables]
        values = np.zeros((len(of_sums), *shape))
        for member in members:
            order = sorted(range(len(member)), key=lambda k: variables.index(member[k]))
            spread = [size if v in member else 1 for v, size in zip(variables, shape, strict=True)]
            for table, parts in zip(values, of_sums, strict=True):
                if member in parts:
                    table += parts[member].transpose(order).reshape(spread)
        flat = np.pad(values.reshape(len(of_sums), -1), ((0, 0), (0, 1)), constant_values=np.nan)
        strides = [prod(shape[k + 1 :]) for k in range(len(shape))]
        return _Gather(flat, tuple(zip(variables, strides, strict=True)))

    def _refuse(self, row: IntArray) -> None:
        for group, width in zip(self._groups, row, strict=True):
            if width not in group.choices:
                raise ModelError(
                    f"group {group.name!r}: width {width} is not one of {group.choices}"
                )
        raise ModelError(f"the schedule {row.tolist()} has no price")


def _parts(grids: Iterable[Grid]) -> tuple[float, dict[Variables, FloatArray]]:
    """The constant part, and the rest by the distinct variables it depends on."""
    constant = 0.0
    parts: dict[Variables, FloatArray] = {}
    for grid in grids:
        both = (grid.first, grid.second)
        sides = [_variable(side) for side in both if side.multiples]
        # A side that does not vary has one total: its dimension disappears.
        values = grid.values.squeeze(tuple(k for k, side in enumerate(both) if not side.multiples))
        if not sides:
            constant += float(values)
            continue
        if len(sides) == 2 and sides[0] == sides[1]:
            sides, values = sides[:1], values.diagonal()
        key = tuple(sides)
        parts[key] = parts[key] + values if key in parts else values
    return constant, parts


def _variable(channels: Channels) -> Channels:
    """What decides a channel count: the width, where one group alone does."""
    if len(channels.multiples) == 1:
        return Channels(0, ((channels.multiples[0][0], 1),))
    return channels


def _bins(
    parts: Iterable[Variables], sizes: dict[Channels, int]
) -> list[tuple[set[Channels], list[Variables]]]:
    """Which parts share a table: those with most in common, while it does not grow too large."""
    bins: list[tuple[set[Channels], list[Variables]]] = []
    for part in sorted(parts, key=len, reverse=True):
        fitting = [
            (len(held & set(part)), -prod(sizes[v] for v in held | set(part)), -number)
            for number, (held, _) in enumerate(bins)
            if held >= set(part) or prod(sizes[v] for v in held | set(part)) <= LARGEST
        ]
        if fitting:
            held, members = bins[-max(fitting)[2]]
            held.update(part)
            members.append(part)
        else:
            bins.append((set(part), [part]))
    return bins


def _within(choices: Sequence[int], multiple: int) -> IntArray:
    """Width -> channels, at legal widths alone."""
    channels: IntArray = np.full(choices[-1] + 2, _ILLEGAL, dtype=np.int64)
    channels[list(choices)] = multiple * np.array(choices)
    return channels
