"""Mask units of the unpruned network: what comes after is computed as if they were removed."""

from __future__ import annotations

import torch

from autoprune.pruning.space import PruningGroup
from autoprune.pruning.surgery import State


def masked_state(state: State, group: PruningGroup, kept: torch.Tensor) -> dict[str, torch.Tensor]:
    """``state`` with every consumer of the group reading zeros from the units not kept.

    Tensors in which nothing is masked are those of ``state`` itself.
    """
    gone = torch.ones(group.units, dtype=torch.bool)
    gone[kept] = False
    masked = dict(state)
    for place in group.slices:
        positions = place.index[gone].reshape(-1)
        if not len(positions):
            continue
        if place.role == "input":
            masked[place.tensor] = masked[place.tensor].index_fill(place.dim, positions, 0.0)
        elif place.role == "values":
            channel_map = masked[place.tensor]
            lost = torch.isin(channel_map, positions)
            masked[place.tensor] = torch.where(lost, -1, channel_map)
    return masked
