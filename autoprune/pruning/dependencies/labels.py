"""Channels as numbers: which of them go together, which must stay, and where each one lives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from autoprune.pruning.space import Role

IntArray = npt.NDArray[np.int64]

FIXED = 0
"""Label of what no group prunes: the network's input, constants, layers with one channel."""
FREE = -1
"""Label of what a padding adds around the pixels: it is where its channel is."""


@dataclass(frozen=True)
class Place:
    """Where channels live in one tensor: the label of every position along a dimension."""

    tensor: str
    dim: int
    role: Role
    labels: torch.Tensor


@dataclass(frozen=True)
class Classes:
    """Labels sorted into classes of channels that go together.

    Args:
        of: label -> class, [labels].
        reasons: class -> why it must stay.
    """

    of: IntArray
    reasons: dict[int, str]


class Labels:
    """Hands out labels and remembers what is learned of them."""

    def __init__(self) -> None:
        self._count = 1
        self._pairs: list[torch.Tensor] = []
        self._frozen: list[tuple[torch.Tensor, str]] = []
        self._places: dict[tuple[str, int], Place] = {}

    @property
    def places(self) -> Sequence[Place]:
        """In the order they were found."""
        return list(self._places.values())

    def produced(self, tensor: str, dim: int, size: int) -> torch.Tensor:
        """Labels [size] of what a layer puts out; the same again where it is called again."""
        known = self._places.get((tensor, dim))
        if known is not None:
            return known.labels
        labels = torch.arange(self._count, self._count + size)
        self._count += size
        self._places[tensor, dim] = Place(tensor, dim, "output", labels)
        return labels

    def place(self, tensor: str, dim: int, role: Role, labels: torch.Tensor) -> None:
        """Channels live in a tensor too; where others do already, they go together."""
        known = self._places.get((tensor, dim))
        if known is not None:
            self.tie(known.labels, labels)
        else:
            self._places[tensor, dim] = Place(tensor, dim, role, labels.clamp(min=FIXED))

    def tie(self, first: torch.Tensor, second: torch.Tensor) -> None:
        """Channels at the same position go together; beside what is fixed they must stay."""
        first, second = (labels.reshape(-1) for labels in torch.broadcast_tensors(first, second))  # type: ignore[no-untyped-call]
        both = (first > FIXED) & (second > FIXED) & (first != second)
        if bool(both.any()):
            pairs = torch.unique(first[both] * self._count + second[both])
            self._pairs.append(torch.stack([pairs // self._count, pairs % self._count]))
        reason = "its channels are combined with some that are not pruned"
        self.freeze(first[second == FIXED], reason)
        self.freeze(second[first == FIXED], reason)

    def freeze(self, labels: torch.Tensor, reason: str, *, above_all: bool = False) -> None:
        """These must stay; the first reason is told, or the one that is above all others."""
        labels = torch.unique(labels[labels > FIXED])
        if len(labels):
            self._frozen.insert(0 if above_all else len(self._frozen), (labels, reason))

    def classes(self) -> Classes:
        """What goes together, in the end."""
        pairs = torch.cat([torch.zeros(2, 0, dtype=torch.int64), *self._pairs], dim=1).numpy()
        ones = np.ones(pairs.shape[1], dtype=np.int8)
        graph = coo_array((ones, (pairs[0], pairs[1])), shape=(self._count, self._count))
        _, of = connected_components(graph, directed=False)
        classes = np.asarray(of, dtype=np.int64)
        reasons: dict[int, str] = {int(classes[FIXED]): "fixed"}
        for labels, reason in self._frozen:
            for each in np.unique(classes[labels.numpy()]).tolist():
                reasons.setdefault(each, reason)
        return Classes(classes, reasons)
