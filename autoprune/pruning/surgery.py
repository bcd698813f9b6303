"""Slice, rebuild and widen networks by index slices; no dependency graph per candidate."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from autoprune.errors import ModelError, WeightsError
from autoprune.models.attention import HeadedAttention
from autoprune.pruning.first_pass import follow_input
from autoprune.pruning.space import Kept, PruningGroup, SearchSpace

State = Mapping[str, torch.Tensor]


@dataclass
class _Cut:
    """What goes from one tensor: positions by dimension, and values of a channel map."""

    positions: dict[int, list[torch.Tensor]] = field(default_factory=lambda: defaultdict(list))
    values: list[torch.Tensor] = field(default_factory=list)


def slice_state(state: State, space: SearchSpace, kept: Kept) -> dict[str, torch.Tensor]:
    """The tensors of the pruned network, none sharing memory with ``state``.

    Raises:
        ModelError: ``kept`` is not one ascending index list per group.
    """
    cuts = _cuts(space, kept)
    return {
        name: _sliced(tensor.detach(), cuts[name]) if name in cuts else tensor.detach().clone()
        for name, tensor in state.items()
    }


def expand(state: State, base: State, space: SearchSpace, kept: Kept) -> dict[str, torch.Tensor]:
    """The pruned tensors at the unpruned shapes: zeros where units went, channel maps from base."""
    cuts = _cuts(space, kept)
    maps = {cut.tensor for group in space.groups for cut in group.slices if cut.role == "values"}
    wide = {}
    for name, full in base.items():
        if name in maps:
            wide[name] = full.detach().clone()
        else:
            wide[name] = _widened(state[name].detach(), full, cuts.get(name, _Cut()))
    return wide


def fit(model: nn.Module, state: State, *, share: bool = False) -> nn.Module:
    """A fresh copy of ``model`` whose tensors are those of ``state``, whatever their shapes.

    Modules' channel counts follow. ``share`` takes the tensors of ``state`` as they are, without
    copying them.

    Raises:
        WeightsError: ``state`` lacks a tensor of the model or has one too many.
    """
    own = model.state_dict(keep_vars=True)
    if own.keys() != state.keys():
        missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        raise WeightsError(
            f"this state does not fit {type(model).__name__}: missing {missing}, unexpected {extra}"
        )
    # deepcopy takes what its memo holds instead of copying: the old weights are never duplicated.
    replaced: dict[int, object] = {}
    for name, old in own.items():
        new = state[name].detach()
        new = new if share else new.clone()
        is_parameter = isinstance(old, nn.Parameter)
        replaced[id(old)] = nn.Parameter(new, old.requires_grad) if is_parameter else new
    fitted = copy.deepcopy(model, replaced)
    for module in fitted.modules():
        _follow(module)
    return fitted


def prune(
    model: nn.Module, space: SearchSpace, kept: Kept, state: State | None = None
) -> nn.Module:
    """The pruned network; ``state`` holds unpruned weights other than the model's own."""
    base = model.state_dict() if state is None else state
    return fit(model, slice_state(base, space, kept), share=True)


def lost_inputs(space: SearchSpace, kept: Kept) -> dict[str, torch.Tensor]:
    """Positions along the second dimension that weights stop reading; weight -> [m], unordered."""
    lost: dict[str, list[torch.Tensor]] = defaultdict(list)
    for group in space.groups:
        removed = _removed(group, kept)
        for place in group.slices:
            if place.role == "input" and place.dim == 1 and len(removed):
                lost[place.tensor].append(place.index[removed].reshape(-1))
    return {name: torch.cat(positions) for name, positions in lost.items()}


def _cuts(space: SearchSpace, kept: Kept) -> dict[str, _Cut]:
    cuts: dict[str, _Cut] = defaultdict(_Cut)
    for group in space.groups:
        removed = _removed(group, kept)
        if not len(removed):
            continue
        for place in group.slices:
            positions = place.index[removed].reshape(-1)
            if place.role == "values":
                cuts[place.tensor].values.append(positions)
            else:
                cuts[place.tensor].positions[place.dim].append(positions)
    return cuts


def _removed(group: PruningGroup, kept: Kept) -> torch.Tensor:
    units = kept.get(group.name)
    legal = (
        units is not None
        and len(units) > 0
        and bool((units[1:] > units[:-1]).all())
        and int(units[0]) >= 0
        and int(units[-1]) < group.units
    )
    if units is None or not legal:
        raise ModelError(
            f"group {group.name!r}: expected ascending indices of kept units below "
            f"{group.units}, got {None if units is None else units.tolist()}"
        )
    gone = torch.ones(group.units, dtype=torch.bool)
    gone[units.cpu()] = False
    return gone.nonzero().reshape(-1)


def _left(size: int, removed: list[torch.Tensor]) -> torch.Tensor:
    left = torch.ones(size, dtype=torch.bool)
    left[torch.cat(removed)] = False
    return left.nonzero().reshape(-1)


def _sliced(tensor: torch.Tensor, cut: _Cut) -> torch.Tensor:
    if cut.values:
        tensor = _renumbered(tensor, torch.cat(cut.values).to(tensor.device))
    for dim, removed in cut.positions.items():
        tensor = tensor.index_select(dim, _left(tensor.shape[dim], removed).to(tensor.device))
    return tensor


def _renumbered(channel_map: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """Entries count the channels left before them; removed ones, and -1, become -1."""
    size = int(torch.cat([channel_map, removed]).max()) + 1
    left = torch.ones(size, dtype=torch.int64, device=channel_map.device)
    left[removed] = 0
    number = torch.where(left == 1, left.cumsum(0) - 1, -1)
    return torch.where(channel_map >= 0, number[channel_map.clamp(min=0)], -1)


def _widened(tensor: torch.Tensor, full: torch.Tensor, cut: _Cut) -> torch.Tensor:
    if not cut.positions:
        return tensor.clone()
    for dim, removed in cut.positions.items():
        shape = list(tensor.shape)
        shape[dim] = full.shape[dim]
        positions = _left(shape[dim], removed).to(tensor.device)
        tensor = tensor.new_zeros(shape).index_copy_(dim, positions, tensor)
    return tensor


def _follow(module: nn.Module) -> None:
    """Set a module's channel counts by the shape of its weight, if it has one."""
    if isinstance(module, nn.modules.conv._ConvNd):
        _follow_conv(module)
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.modules.batchnorm._NormBase):
        sized = module.weight if module.affine else module.running_mean
        if sized is not None:
            module.num_features = len(sized)
        elif isinstance(module, nn.modules.instancenorm._InstanceNorm):
            follow_input(module)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)
    elif isinstance(module, HeadedAttention):
        module.follow_weights()
    elif type(module) is nn.Unflatten:
        _follow_unflatten(module)


def _follow_unflatten(module: nn.Unflatten) -> None:
    """Leave open how many channels there are: they come first, before the pixels of each."""
    sizes: Any = module.unflattened_size
    if all(isinstance(size, int) for size in sizes) and -1 not in sizes:
        module.unflattened_size = (-1, *sizes[1:])


def _follow_conv(conv: nn.modules.conv._ConvNd) -> None:
    first, second = conv.weight.shape[:2]
    if conv.transposed:
        conv.in_channels, conv.out_channels = first, second * conv.groups
        return
    if conv.groups > 1 and conv.groups == conv.in_channels == conv.out_channels:
        conv.groups = first
    conv.out_channels, conv.in_channels = first, second * conv.groups
