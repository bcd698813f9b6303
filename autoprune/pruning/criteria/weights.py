"""Walk the weights of a group, and add up what is measured of them for each unit."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import torch

from autoprune.pruning.criteria.contract import FloatArray, State
from autoprune.pruning.space import IndexSlice, PruningGroup, Role

PRODUCERS: tuple[Role, ...] = ("output",)
PRODUCERS_AND_CONSUMERS: tuple[Role, ...] = ("output", "input")


def weights_of(
    state: State, group: PruningGroup, roles: Collection[Role] = PRODUCERS
) -> Iterator[tuple[torch.Tensor, IndexSlice]]:
    """Each weight of the group in these roles, in float64, and where the units live in it.

    Biases are not counted, nor what only carries the units along (batch norm, depthwise filters).
    """
    for place in group.slices:
        weight = state[place.tensor]
        if place.role in roles and weight.ndim > 1:
            yield weight.detach().cpu().double(), place


def per_filter(values: torch.Tensor, place: IndexSlice) -> torch.Tensor:
    """The sum of ``values`` (of the weight's shape) over each filter; [positions along the dim]."""
    return values.sum([dim for dim in range(values.ndim) if dim != place.dim])


def per_unit(of_filters: torch.Tensor, place: IndexSlice) -> torch.Tensor:
    """The sum over the filters of each unit; [units]."""
    return of_filters[place.index].sum(1)


def total(units: int, parts: Iterator[torch.Tensor]) -> FloatArray:
    """The sum of what each weight says of the units; [units]."""
    summed = torch.zeros(units, dtype=torch.float64)
    for part in parts:
        summed += part
    found: FloatArray = np.asarray(summed.numpy())
    return found
