"""Whether tensors have the channels that a schedule says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

import torch

from autoprune.export.schedule import Layer

Side = Literal["before", "after"]
COMPUTED = "parametrizations.weight."
"""Begins the names of the tensors that a parametrisation computes a weight from."""
_POSITION: dict[Side, int] = {"before": 0, "after": 1}


def channels(layer: Layer, side: Side) -> tuple[int, int]:
    """(input, output) channels of a layer."""
    return layer.in_channels[_POSITION[side]], layer.out_channels[_POSITION[side]]


def first_difference(
    layers: Mapping[str, Layer], state: Mapping[str, torch.Tensor], side: Side
) -> str | None:
    """What is wrong with the first layer whose weight is not as the schedule says.

    A layer whose weight a parametrisation computes is never cut, and has no weight to look at.

    Args:
        layers: of the schedule.
        state: a state dict, or the tensors of ``model.safetensors``.
        side: which of the two networks ``state`` should be of.
    """
    for name, layer in layers.items():
        weight = state.get(f"{name}.weight")
        inputs, outputs = channels(layer, side)
        expected = f"layer {name!r} ({layer.type}) should have {inputs} -> {outputs} channels"
        if weight is None and any(each.startswith(f"{name}.{COMPUTED}") for each in state):
            continue
        if weight is None:
            return f"{expected}, but there is no tensor '{name}.weight'"
        if not _fits(layer.type, tuple(weight.shape), inputs, outputs):
            return f"{expected}, but its weight has the shape {tuple(weight.shape)}"
    return None


def _fits(kind: str, shape: tuple[int, ...], inputs: int, outputs: int) -> bool:
    if len(shape) == 2:
        return shape == (outputs, inputs)
    if len(shape) < 3:
        return False
    # A grouped convolution divides its second dimension by the number of groups.
    if "transpose" in kind.lower():
        return shape[0] == inputs and outputs % shape[1] == 0
    return shape[0] == outputs and inputs % shape[1] == 0


def missing_weights(
    layers: Mapping[str, Layer], found: Counter[tuple[int, int]], side: Side
) -> list[str]:
    """Pruned layers for which a graph has no weight of the right size.

    Args:
        layers: of the schedule.
        found: (input, output) channels of the graph's weights; a graph's names are not the
            model's, and a layer that never runs is not in it. What was pruned does run.
        side: which of the two networks the graph should be of.
    """
    left = Counter(found)
    missing = []
    for name, layer in layers.items():
        if layer.in_channels[0] == layer.in_channels[1] and layer.keep_ratio == 1:
            continue
        size = channels(layer, side)
        if left[size] == 0:
            missing.append(f"{name} {size[0]} -> {size[1]}")
        left[size] -= 1
    return missing
