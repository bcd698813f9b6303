"""The per-layer view of a schedule, from plain data: a job carries it, so no network is loaded.

A layer's channels are ``constant + sum of channels per unit * width`` over groups; that is what
:func:`describe_layers` writes down and :func:`layer_view` evaluates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from autoprune.pruning.channels import Channels, TensorChannels
from autoprune.pruning.space import SearchSpace

Json = dict[str, Any]


def describe_layers(model: nn.Module, space: SearchSpace) -> Json:
    """Every convolution and linear layer, in the model's order, as JSON values.

    Returns:
        ``{layer: {type, in: {before, constant, units: {group: channels}}, out: {...}}}``.
    """
    sizes = TensorChannels(space)
    layers: Json = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            counts = _counts(module)
            sides = _sides(f"{name}.weight", module, sizes)
            into, out = (
                _side(before, side, space) for before, side in zip(counts, sides, strict=True)
            )
            layers[name] = {"type": _type(module), "in": into, "out": out}
    return layers


def layer_view(layers: Json, widths: Mapping[str, int]) -> Json:
    """``{layer: {type, in_channels, out_channels, keep_ratio}}`` of one schedule.

    Args:
        layers: from :func:`describe_layers`.
        widths: group name -> units kept.
    """
    view: Json = {}
    for name, layer in layers.items():
        out = _before_after(layer["out"], widths)
        view[name] = {
            "type": layer["type"],
            "in_channels": _before_after(layer["in"], widths),
            "out_channels": out,
            "keep_ratio": out[1] / out[0],
        }
    return view


def _side(before: int, channels: Channels, space: SearchSpace) -> Json:
    units = {space.groups[group].name: multiple for group, multiple in channels.multiples}
    return {"before": before, "constant": channels.constant, "units": units}


def _before_after(side: Json, widths: Mapping[str, int]) -> list[int]:
    kept = sum(each * widths[group] for group, each in side["units"].items())
    return [side["before"], side["constant"] + kept]


def _type(module: nn.Module) -> str:
    if isinstance(module, nn.Linear):
        return "linear"
    if isinstance(module, nn.modules.conv._ConvNd):
        if module.groups > 1 and module.groups == module.in_channels == module.out_channels:
            return "depthwise"
        return "conv_transpose" if module.transposed else "conv"
    raise TypeError(f"expected a convolution or linear layer, got {type(module).__name__}")


def _counts(module: nn.Module) -> tuple[int, int]:
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    if isinstance(module, nn.modules.conv._ConvNd):
        return module.in_channels, module.out_channels
    raise TypeError(f"expected a convolution or linear layer, got {type(module).__name__}")


def _sides(weight: str, module: nn.Module, sizes: TensorChannels) -> tuple[Channels, Channels]:
    """Input and output channels; a grouped weight holds the inputs of one group."""
    ins, outs = _counts(module)
    if not isinstance(module, nn.modules.conv._ConvNd):
        return sizes.of(weight, 1, ins), sizes.of(weight, 0, outs)
    if module.transposed:
        per_group = sizes.of(weight, 1, outs // module.groups)
        return sizes.of(weight, 0, ins), per_group.times(module.groups)
    produced = sizes.of(weight, 0, outs)
    if module.groups > 1 and module.groups == ins == outs:
        return produced, produced
    return sizes.of(weight, 1, ins // module.groups).times(module.groups), produced
