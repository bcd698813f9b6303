"""Widths that do not pay: a wider one of the same group is at least as fast.

Latency falls in steps as a layer gets narrower, and now and then it rises: a convolution of 14
channels can cost more than one of 16. Such a width is never worth having.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from autoprune.pruning.channels import Channels
from autoprune.pruning.cost import CostModel
from autoprune.pruning.network import reachable
from autoprune.pruning.pair_grids import FloatArray, IntArray, PairGrid
from autoprune.pruning.space import PruningGroup, SearchSpace

ALMOST = 0.01
"""A wider width that costs at most this fraction more counts as free."""


@dataclass(frozen=True)
class Step:
    """One width of a group beside a wider one.

    Args:
        group: its name.
        width, wider: units kept.
        extra: what the wider one costs more, as a fraction of what the group's operators cost; at
            most so much whatever the widths of the other groups are. Not above 0 where it costs
            nothing.
    """

    group: str
    width: int
    wider: int
    extra: float

    def __str__(self) -> str:
        if self.extra > 0:
            more = f"at most {self.extra:.1%} more than"
            return f"{self.group}: {self.wider} costs {more} {self.width}"
        costs = "as much as" if self.extra == 0 else "more than"
        return f"{self.group}: {self.width} costs {costs} {self.wider}"


@dataclass(frozen=True)
class Staircase:
    """A search space without the widths that do not pay.

    Args:
        space: the same groups with what is left of their choices; the full width always is.
        dropped: the widths left out, each with the narrowest kept one that is as fast.
        free: neighbours among the kept widths of which the wider one costs almost nothing more.
    """

    space: SearchSpace
    dropped: tuple[Step, ...]
    free: tuple[Step, ...]


def drop_dominated(space: SearchSpace, costs: Sequence[CostModel]) -> Staircase:
    """Leave out every width that a wider one of its group matches or beats under all costs.

    A width w is left out when for some wider w'

        sum over grids of  max over the other channels of  (cost(w', other) - cost(w, other))  <= 0

    where a grid holds the operators over one pair of channel counts. Then w' is at least as fast at
    every combination of the other groups' widths, so any schedule with w can be widened without
    getting slower; one group after the other, so widths of several groups may go at once. The test
    is sufficient, not necessary: where the maxima of two grids lie at different widths of one
    neighbour, a dominated width is kept. (The exact test takes all combinations of the neighbours.)

    Prices are taken as they stand: a width that is slower by less than the noise of its measurement
    is left out too. By the table, which a search has nothing else to go by, it never pays; by the
    clock it costs at most that noise to do without, and the wider one has more channels.

    Args:
        space: groups with all their legal widths.
        costs: one model for each device; each with a table, and made for this space. What they
            add or multiply by calibration does not matter.

    Raises:
        TableError: a cost model has no table.
    """
    grids = [cost.pair_grids() for cost in costs]
    groups, dropped, free = [], [], []
    for position, group in enumerate(space.groups):
        extra = _extra(position, group, space, grids)
        kept, beaten = _sorted_out(extra)
        groups.append(replace(group, choices=tuple(group.choices[i] for i in kept)))
        dropped += [_step(group, i, k, extra) for i, k in beaten]
        free += [_step(group, i, k, extra) for i, k in pairwise(kept) if extra[i, k] <= ALMOST]
    return Staircase(replace(space, groups=tuple(groups)), tuple(dropped), tuple(free))


def _sorted_out(extra: FloatArray) -> tuple[list[int], list[tuple[int, int]]]:
    """Which widths are kept, ascending, and which are not, each with the one that beats it."""
    kept: list[int] = []
    beaten: list[tuple[int, int]] = []
    for index in reversed(range(len(extra))):
        better = next((k for k in kept if extra[index, k] <= 0), None)
        if better is None:
            kept.insert(0, index)
        else:
            beaten.insert(0, (index, better))
    return kept, beaten


def _step(group: PruningGroup, index: int, wider: int, extra: FloatArray) -> Step:
    return Step(group.name, group.choices[index], group.choices[wider], float(extra[index, wider]))


def _extra(
    position: int,
    group: PruningGroup,
    space: SearchSpace,
    grids: Sequence[Sequence[PairGrid]],
) -> FloatArray:
    """What the width of a column costs more than that of a row, at most; fractions [W, W]."""
    count = len(group.choices)
    worst = np.full((count, count), -np.inf)
    for of_device in grids:
        seconds, least = np.zeros((count, count)), np.zeros(count)
        for grid in of_device:
            if position in {g for side in (grid.first, grid.second) for g, _ in side.multiples}:
                prices = _prices(grid, position, space)
                least += prices.min(axis=(1, 2))
                seconds += (prices[None, :] - prices[:, None]).max(axis=(2, 3))
        worst = np.maximum(worst, seconds / np.where(least > 0, least, 1.0)[:, None])
    return worst


def _prices(grid: PairGrid, position: int, space: SearchSpace) -> FloatArray:
    """The grid at each width of one group, over all that the other groups can add; [W, A, B]."""
    first = _places(grid.first, grid.first_totals, position, space)
    second = _places(grid.second, grid.second_totals, position, space)
    return np.stack(
        [grid.seconds[np.ix_(rows, columns)] for rows, columns in zip(first, second, strict=True)]
    )


def _places(
    channels: Channels, totals: IntArray, position: int, space: SearchSpace
) -> list[IntArray]:
    """Positions among the totals, for each width of the group, of all that the others can add."""
    multiple = dict(channels.multiples).get(position, 0)
    others = tuple(pair for pair in channels.multiples if pair[0] != position)
    rest = np.array(reachable(replace(channels, multiples=others), space), dtype=np.int64)
    return [
        np.searchsorted(totals, rest + multiple * width) for width in space.groups[position].choices
    ]
