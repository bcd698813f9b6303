"""A schedule seen layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from autoprune.pruning.channels import Channels, TensorChannels
from autoprune.pruning.space import SearchSpace


@dataclass(frozen=True)
class LayerView:
    """One convolution or linear layer before and after pruning.

    Args:
        type: class name of the module.
        in_channels, out_channels: before and after; features for a linear layer.
        keep_ratio: output channels after / before, in (0, 1].
    """

    type: str
    in_channels: tuple[int, int]
    out_channels: tuple[int, int]
    keep_ratio: float


def layer_view(
    model: nn.Module, space: SearchSpace, widths: Mapping[str, int]
) -> dict[str, LayerView]:
    """Layer name -> view; every convolution and linear layer, in the model's order.

    Args:
        model: the unpruned network.
        space: its groups.
        widths: group name -> units kept.
    """
    sizes = TensorChannels(space)
    kept = [widths[group.name] for group in space.groups]
    return {
        name: _view(name, module, sizes, kept)
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear)
    }


def _view(name: str, module: nn.Module, sizes: TensorChannels, kept: Sequence[int]) -> LayerView:
    ins, outs = _sides(f"{name}.weight", module, sizes)
    before_in, before_out = _counts(module)
    after = outs.at(kept)
    return LayerView(
        type(module).__name__,
        (before_in, ins.at(kept)),
        (before_out, after),
        after / before_out,
    )


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
