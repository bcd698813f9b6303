"""The per-layer view of a schedule, from data a job carries: no network needs to be loaded."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from autoprune.pruning.space import SearchSpace
from autoprune.trials.records import Json

_TYPES = {
    torch.nn.Conv2d: "conv",
    torch.nn.Linear: "linear",
    torch.nn.ConvTranspose2d: "conv_transpose",
}


def describe_layers(model: torch.nn.Module, space: SearchSpace) -> Json:
    """For each conv and linear: full channel counts, and how many of them one unit of a group is.

    Returns ``{layer: {type, in: {full, units: {group: channels}}, out: {...}, groups}}``.
    """
    layers: Json = {}
    for name, module in model.named_modules():
        kind = next((text for cls, text in _TYPES.items() if type(module) is cls), None)
        if kind is None:
            continue
        weight = module.get_parameter("weight")
        groups = int(getattr(module, "groups", 1))
        layers[name] = {
            "type": "depthwise" if groups > 1 and groups == weight.shape[0] else kind,
            "in": {"full": weight.shape[1] * groups, "units": _units(space, name, 1)},
            "out": {"full": weight.shape[0], "units": _units(space, name, 0)},
            "depthwise": weight.shape[1] == 1 and groups == weight.shape[0],
        }
    return layers


def layer_view(layers: Json, units: Mapping[str, int], widths: Mapping[str, int]) -> Json:
    """``{layer: {type, in_channels, out_channels, keep_ratio}}`` of one schedule.

    Args:
        layers: from :func:`describe_layers`.
        units: group name -> width of the unpruned network.
        widths: group name -> width of the schedule.
    """
    view: Json = {}
    for name, layer in layers.items():
        out = _before_after(layer["out"], units, widths)
        into = out if layer["depthwise"] else _before_after(layer["in"], units, widths)
        view[name] = {
            "type": layer["type"],
            "in_channels": into,
            "out_channels": out,
            "keep_ratio": out[1] / out[0],
        }
    return view


def _units(space: SearchSpace, layer: str, dim: int) -> dict[str, int]:
    return {
        group.name: int(part.index.shape[1])
        for group in space.groups
        for part in group.slices
        if part.tensor == f"{layer}.weight" and part.dim == dim
    }


def _before_after(side: Json, units: Mapping[str, int], widths: Mapping[str, int]) -> list[int]:
    removed = sum(each * (units[group] - widths[group]) for group, each in side["units"].items())
    return [side["full"], side["full"] - removed]
