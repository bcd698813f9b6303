"""Channel counts as functions of the groups' widths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from autoprune.pruning.space import SearchSpace


@dataclass(frozen=True, order=True)
class Channels:
    """constant + sum of multiple * width over groups.

    Args:
        constant: channels no group prunes.
        multiples: (position of the group in the search space, channels per unit), ascending.
    """

    constant: int
    multiples: tuple[tuple[int, int], ...] = ()

    def at(self, widths: Sequence[int]) -> int:
        """The count at one schedule."""
        return self.constant + sum(m * int(widths[group]) for group, m in self.multiples)

    def plus(self, other: Channels) -> Channels:
        """Both side by side, as in a concatenation."""
        merged: dict[int, int] = defaultdict(int)
        for group, multiple in (*self.multiples, *other.multiples):
            merged[group] += multiple
        return Channels(self.constant + other.constant, tuple(sorted(merged.items())))

    def times(self, factor: int) -> Channels:
        """Every channel ``factor`` times, as in a flatten."""
        scaled = tuple((group, multiple * factor) for group, multiple in self.multiples)
        return Channels(self.constant * factor, scaled)

    def over(self, parts: int) -> Channels | None:
        """One of so many equal parts; None where some width would not leave equal ones."""
        counts = [self.constant, *(multiple for _, multiple in self.multiples)]
        if any(count % parts for count in counts):
            return None
        shares = tuple((group, multiple // parts) for group, multiple in self.multiples)
        return Channels(self.constant // parts, shares)


class TensorChannels:
    """The sizes of a model's tensors as functions of the widths of a search space."""

    def __init__(self, space: SearchSpace) -> None:
        self._units = [group.units for group in space.groups]
        self._places: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        self._runs: dict[tuple[str, int], int] = {}
        for position, group in enumerate(space.groups):
            for place in group.slices:
                if place.role != "values":
                    key = (place.tensor, place.dim)
                    self._places[key].append((position, place.index.shape[1]))
                    self._runs[key] = _run(place.index)

    def of(self, tensor: str, dim: int, size: int) -> Channels:
        """Size along ``dim`` of the tensor, which has ``size`` positions there when unpruned."""
        multiples = self._places.get((tensor, dim), [])
        pruned = sum(multiple * self._units[group] for group, multiple in multiples)
        return Channels(size - pruned).plus(Channels(0, tuple(multiples)))

    def run(self, tensor: str, dim: int) -> int:
        """Neighbouring positions of each unit along ``dim``, over and over for all units in turn.

        0 where no group, or more than one, has units there, or they lie in another order.
        """
        alone = len(self._places.get((tensor, dim), [])) == 1
        return self._runs[tensor, dim] if alone else 0


def _run(index: torch.Tensor) -> int:
    """Of one group's positions, [units, m]."""
    units, each = index.shape
    step = torch.diff(index[0], append=index[0, :1] - 1)
    run = int((step != 1).nonzero()[0]) + 1
    if each % run:
        return 0
    expected = torch.arange(units * each).view(each // run, units, run).transpose(0, 1)
    return run if torch.equal(index, expected.reshape(units, each)) else 0
