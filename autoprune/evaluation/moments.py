"""Second moments of what layers read in the unpruned network, for reconstruction."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from autoprune.evaluation.batches import Batch
from autoprune.evaluation.modes import evaluating
from autoprune.evaluation.objective import CLASSES, Objective
from autoprune.pruning.reconstruction import Moments
from autoprune.pruning.space import SearchSpace

LARGEST = 2048
"""Channels; a layer that reads more is left alone: its matrix alone would take 16 MiB and more."""

_SPATIAL = {nn.Linear: 0, nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}


def measure_moments(
    model: nn.Module,
    space: SearchSpace,
    batches: Iterable[Batch],
    objective: Objective = CLASSES,
) -> Moments:
    """Means of x xᵀ over ``batches``, where x are the channels that a consumer of a group reads.

    Args:
        model: unpruned; run in eval mode, unchanged.
        space: its groups.
        batches: what it is run on.
        objective: how it is run.

    Returns:
        For convolutions without groups and linear layers: name of the weight -> [C, C], on the CPU.
    """
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}

    def watch(name: str, spatial: int) -> torch.utils.hooks.RemovableHandle:
        def read(_module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            rows = args[0].detach().movedim(-1 - spatial, -1)
            rows = rows.reshape(-1, rows.shape[-1]).float()
            sums[name] = sums.get(name, 0) + (rows.T @ rows).double()
            counts[name] = counts.get(name, 0) + len(rows)

        module = model.get_submodule(name.removesuffix(".weight"))
        return module.register_forward_pre_hook(read)

    handles = [watch(name, spatial) for name, spatial in _readers(model, space).items()]
    try:
        with evaluating(model):
            for images, targets in batches:
                objective.judge(model, images, targets)
    finally:
        for handle in handles:
            handle.remove()
    return {name: (total / counts[name]).float().cpu() for name, total in sums.items()}


def _readers(model: nn.Module, space: SearchSpace) -> dict[str, int]:
    """Weights that read prunable channels along their second dimension -> spatial dimensions."""
    modules = dict(model.named_modules())
    found = {}
    for group in space.groups:
        for place in group.slices:
            name, _, kind = place.tensor.rpartition(".")
            module = modules.get(name)
            if module is None or place.role != "input" or place.dim != 1 or kind != "weight":
                continue
            spatial = _SPATIAL.get(type(module))
            if spatial is None:
                continue
            channels = module.get_parameter("weight").shape[1]
            if getattr(module, "groups", 1) == 1 and channels <= LARGEST:
                found[place.tensor] = spatial
    return found
