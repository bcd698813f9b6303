"""The channels of a model that can be pruned, and those that cannot, with the reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from autoprune.pruning.dependencies.grouping import Found, group
from autoprune.pruning.dependencies.reader import read_dependencies
from autoprune.pruning.exporting import export


@dataclass(frozen=True)
class Dependencies:
    """What a model's channels depend on.

    Args:
        channels: those that are tied, in network order.
        layers: names of the layers with a weight, in the order they ran.
    """

    channels: tuple[Found, ...]
    layers: tuple[str, ...]


def find_dependencies(model: nn.Module, example_input: torch.Tensor) -> Dependencies:
    """Read the model's exported graph.

    Args:
        model: left untouched.
        example_input: [N, ...] as the model takes it; one image of it is enough.

    Raises:
        ModelError: the model does not run on the example input (names the layer), or cannot be
            exported.
    """
    reading = read_dependencies(model, export(model, example_input[:1]))
    labels, aliases = reading.labels, _aliases(model)
    layers = _with_sharers(reading.layers, aliases)
    found = group(labels.places, labels.classes(), layers, aliases)
    return Dependencies(tuple(found), tuple(layers))


def _with_sharers(layers: Sequence[str], aliases: Mapping[str, list[str]]) -> list[str]:
    """Layers, and those that share a weight with one of them: the graph names one alone."""
    found: dict[str, None] = {}
    for layer in layers:
        sharers = [other.rpartition(".")[0] for other in aliases.get(f"{layer}.weight", ())]
        found |= dict.fromkeys(sorted((layer, *sharers)))
    return list(found)


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
