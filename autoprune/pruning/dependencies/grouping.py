"""From labelled channels to pruning groups: units, and where each of them lives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from autoprune.pruning.dependencies.labels import FIXED, Classes, IntArray, Place
from autoprune.pruning.space import IndexSlice

Signature = tuple[tuple[int, int], ...]
"""(place, positions there) of one unit."""


@dataclass(frozen=True)
class Found:
    """Channels tied together, before legal widths are chosen.

    Args:
        producers: layers whose outputs they are, in network order.
        slices: every place the units occupy.
        reason: why they must stay; None for channels that can be pruned.
    """

    producers: tuple[str, ...]
    slices: tuple[IndexSlice, ...]
    reason: str | None

    @property
    def units(self) -> int:
        """How many."""
        return len(self.slices[0].index)


def group(
    places: Sequence[Place],
    classes: Classes,
    layers: Sequence[str],
    aliases: Mapping[str, list[str]],
) -> list[Found]:
    """Groups in network order.

    Units that some layer puts out side by side belong together, as long as they occupy the same
    places equally often; where they do not (half of a layer's channels goes elsewhere), each kind
    is a group of its own.

    Args:
        places: where channels live.
        classes: which channels go together.
        layers: names of layers in network order.
        aliases: name of a tensor -> its other names in the state dict.
    """
    at = [classes.of[place.labels.numpy()] for place in places]
    fixed = classes.of[FIXED]
    together = _together(places, at, len(classes.of), int(fixed))
    kinds: dict[tuple[int, Signature, bool], list[int]] = defaultdict(list)
    for unit, signature in _signatures(at, int(fixed)).items():
        kinds[int(together[unit]), signature, unit in classes.reasons].append(unit)
    found = []
    for (_, signature, stays), units in kinds.items():
        chosen = [places[place] for place, _ in signature]
        producers = _producers(chosen, layers, aliases)
        if not producers:
            continue
        reason = classes.reasons[units[0]] if stays else None
        slices = _slices(signature, places, at, units, aliases, len(classes.of))
        found.append(Found(producers, slices, reason))
    order = {layer: position for position, layer in enumerate(layers)}
    return sorted(found, key=lambda each: (order[each.producers[0]], -each.units))


def _together(places: Sequence[Place], at: Sequence[IntArray], size: int, fixed: int) -> IntArray:
    """Class -> number of its group: classes that one layer puts out, directly or by others."""
    first, second = [], []
    for place, classes in zip(places, at, strict=True):
        if place.role == "output":
            own = classes[classes != fixed]
            first.append(own[:-1])
            second.append(own[1:])
    a = np.concatenate([*first, np.zeros(0, np.int64)]).astype(np.int64)
    b = np.concatenate([*second, np.zeros(0, np.int64)]).astype(np.int64)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _signatures(at: Sequence[IntArray], fixed: int) -> dict[int, Signature]:
    """Class -> the places it occupies, in the order in which classes first appear."""
    seen: dict[int, list[tuple[int, int]]] = {}
    for place, classes in enumerate(at):
        values, first, counts = np.unique(classes, return_index=True, return_counts=True)
        for index in np.argsort(first):
            if values[index] != fixed:
                seen.setdefault(int(values[index]), []).append((place, int(counts[index])))
    return {unit: tuple(found) for unit, found in seen.items()}


def _producers(
    places: Sequence[Place], layers: Sequence[str], aliases: Mapping[str, list[str]]
) -> tuple[str, ...]:
    named = {
        tensor.rpartition(".")[0]
        for place in places
        if place.role == "output" or (place.role == "through" and place.tensor.endswith(".weight"))
        for tensor in (place.tensor, *aliases.get(place.tensor, ()))
    }
    return tuple(layer for layer in layers if layer in named)


def _slices(
    signature: Signature,
    places: Sequence[Place],
    at: Sequence[IntArray],
    units: Sequence[int],
    aliases: Mapping[str, list[str]],
    size: int,
) -> tuple[IndexSlice, ...]:
    slices = []
    for place, count in signature:
        row = np.full(size, -1)
        row[list(units)] = np.arange(len(units))
        rows = row[at[place]]
        positions = np.flatnonzero(rows >= 0)
        in_rows = positions[np.argsort(rows[positions], kind="stable")]
        index = torch.from_numpy(in_rows.reshape(len(units), count))
        where = places[place]
        for tensor in (where.tensor, *aliases.get(where.tensor, ())):
            slices.append(IndexSlice(tensor, max(where.dim, 0), index, where.role))
    return tuple(slices)
