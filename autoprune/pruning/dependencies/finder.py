"""The channels of a model that can be pruned, and those that cannot, with the reason."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import nn

from autoprune.pruning.dependencies.grouping import Found, group
from autoprune.pruning.dependencies.reader import read_dependencies
from autoprune.pruning.exporting import export


def find_dependencies(model: nn.Module, example_input: torch.Tensor) -> list[Found]:
    """Tied channels in network order.

    Args:
        model: left untouched.
        example_input: [N, ...] as the model takes it; one image of it is enough.

    Raises:
        ModelError: the model does not run on the example input (names the layer), or cannot be
            exported.
    """
    reading = read_dependencies(model, export(model, example_input[:1]))
    labels = reading.labels
    return group(labels.places, labels.classes(), reading.layers, _aliases(model))


def _aliases(model: nn.Module) -> dict[str, list[str]]:
    """Tensors that have several names in the state dict: each name -> the others."""
    names: dict[tuple[int, torch.Size], list[str]] = defaultdict(list)
    for name, tensor in model.state_dict(keep_vars=True).items():
        names[id(tensor), tensor.shape].append(name)
    return {
        name: [other for other in same if other != name]
        for same in names.values()
        if len(same) > 1
        for name in same
    }
