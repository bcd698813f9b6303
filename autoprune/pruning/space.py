"""The search space: which channels are tied, and where each unit lives in which tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

Role = Literal["output", "input", "through", "values"]

Kept = Mapping[str, torch.Tensor]
"""Group name -> ascending indices of the units kept, numbered as in the unpruned network."""


@dataclass(frozen=True)
class IndexSlice:
    """Where a group's units live in one tensor.

    Args:
        tensor: name of the parameter or buffer in the model's state dict.
        dim: the dimension that holds the units.
        index: [units, m]; unit u occupies the positions index[u] along ``dim``.
        role: ``output`` of a layer that produces the units, ``input`` of one that consumes them,
            ``through`` for what carries them along (batch norm, depthwise convolution), ``values``
            for a channel map whose entries, not positions, name the units: removing a unit writes
            -1 there and renumbers the rest.
    """

    tensor: str
    dim: int
    index: torch.Tensor = field(compare=False)
    role: Role = "output"


@dataclass(frozen=True)
class PruningGroup:
    """Channels that must be pruned together.

    Args:
        name: the first producing layer's module name; unique.
        units: width of the unpruned network.
        choices: legal widths, ascending, the last is ``units``.
        slices: every place the units occupy.
        producers: names of the layers whose outputs these are, in network order.
    """

    name: str
    units: int
    choices: tuple[int, ...]
    slices: tuple[IndexSlice, ...]
    producers: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """A group that is not searched, and why."""

    name: str
    reason: str

    @classmethod
    def of(cls, producers: Sequence[str], reason: str) -> LeftOut:
        """Named after the first producing layer; the reason tells the others."""
        others = ", ".join(producers[1:])
        return cls(producers[0], f"{reason}; tied to it: {others}" if others else reason)


@dataclass(frozen=True)
class SearchSpace:
    """Every group of a model that can be pruned, in network order."""

    groups: tuple[PruningGroup, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def narrowest(self) -> tuple[int, ...]:
        """The smallest legal width of each group."""
        return tuple(group.choices[0] for group in self.groups)

    def widths(self, kept: Kept) -> tuple[int, ...]:
        """Units kept in each group."""
        return tuple(len(kept[group.name]) for group in self.groups)

    def named(self, widths: Sequence[int]) -> dict[str, int]:
        """Group name -> width."""
        return {group.name: int(width) for group, width in zip(self.groups, widths, strict=True)}
