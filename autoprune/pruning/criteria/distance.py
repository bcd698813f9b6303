"""The criterion that looks at how far filters are from each other."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from autoprune.pruning.criteria.contract import FloatArray, State
from autoprune.pruning.criteria.weights import per_unit, total, weights_of
from autoprune.pruning.space import PruningGroup


def fpgm(state: State, group: PruningGroup) -> FloatArray:
    """Sum of the distances of a filter to all others of its layer (arXiv 1811.00250, sec. 3.3).

    A filter near the geometric median is what the others can stand in for.
    """
    return total(group.units, _distances(state, group))


def _distances(state: State, group: PruningGroup) -> Iterator[torch.Tensor]:
    for weight, place in weights_of(state, group):
        filters = weight.movedim(place.dim, 0).flatten(1)
        # Filters of zeros are those a parent lost: nothing can stand in for another through them.
        there = filters[filters.any(1)]
        yield per_unit(torch.cdist(filters, there).sum(1), place)
