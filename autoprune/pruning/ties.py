"""From one group of the dependency graph to index slices of the model's tensors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
import torch_pruning as tp
from torch import nn

from autoprune.models.channel_map import ChannelMap
from autoprune.pruning.space import IndexSlice, Role
from autoprune.pruning.tracing import Trace

_FREE = frozenset(
    {
        tp.ops.OPTYPE.CONCAT,
        tp.ops.OPTYPE.SPLIT,
        tp.ops.OPTYPE.ELEMENTWISE,
        tp.ops.OPTYPE.RESHAPE,
        tp.ops.OPTYPE.UNBIND,
        tp.ops.OPTYPE.EXPAND,
        tp.ops.OPTYPE.SLICE,
    }
)


class UntieableError(Exception):
    """Channels that cannot be written as units; the message is the reason."""


@dataclass(frozen=True)
class Place:
    """Where the root layer's channels appear in one tensor.

    Args:
        positions: root channel -> positions along ``dim``.
        conv_groups: of the grouped convolution the tensor belongs to, 1 for any other.
    """

    tensor: str
    dim: int
    role: Role
    positions: dict[int, list[int]]
    conv_groups: int = 1


@dataclass(frozen=True)
class Ties:
    """Units and every place they occupy; ``producers`` in no particular order."""

    units: int
    slices: tuple[IndexSlice, ...]
    producers: frozenset[str]


def producers_of(trace: Trace, group: Any) -> frozenset[str]:
    """Names of the layers whose outputs are the channels of a dependency-graph group."""
    return frozenset(
        trace.graph._module2name[dep.target.module]
        for dep, _ in group
        if isinstance(dep.target.module, nn.modules.conv._ConvNd | nn.Linear)
        and trace.graph.is_out_channel_pruning_fn(dep.handler)
    )


def resolve(trace: Trace, group: Any) -> Ties:
    """Units of a dependency-graph group that holds all channels of its root layer.

    Raises:
        UntieableError: an output of the network, a layer whose channels cannot be sliced, or
            channels that do not all appear equally often.
    """
    places = [place for item in group.items for place in _places(trace, item)]
    roots = sorted({root for place in places for root in place.positions})
    conv_groups = {place.conv_groups for place in places} - {1}
    if len(conv_groups) > 1:
        raise UntieableError(f"grouped convolutions with {sorted(conv_groups)} groups are tied")
    units = [[root] for root in roots]
    if conv_groups:
        units = _one_of_each(places, roots, conv_groups.pop())
    slices = tuple(_slice(place, units) for place in places)
    return Ties(len(units), slices, producers_of(trace, group))


def _one_of_each(places: Sequence[Place], roots: list[int], conv_groups: int) -> list[list[int]]:
    """Units of one channel per group of a grouped convolution: all groups stay equally wide."""
    identity = {root: [root] for root in roots}
    if any(place.conv_groups > 1 and place.positions != identity for place in places):
        raise UntieableError("a grouped convolution sees these channels in another order")
    width = len(roots) // conv_groups
    return [[group * width + unit for group in range(conv_groups)] for unit in range(width)]


def _slice(place: Place, units: list[list[int]]) -> IndexSlice:
    if place.conv_groups > 1 and place.role == "input":
        # A grouped weight's dimension 1 counts the channels of one group, which all groups share.
        rows = [[unit] for unit in range(len(units))]
    else:
        rows = [[p for root in unit for p in place.positions.get(root, ())] for unit in units]
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise UntieableError(f"its channels do not all appear equally often in {place.tensor!r}")
    if len({position for row in rows for position in row}) != sum(map(len, rows)):
        raise UntieableError(f"two of its channels share a position of {place.tensor!r}")
    index = torch.tensor(rows, dtype=torch.int64)
    return IndexSlice(place.tensor, place.dim, index, place.role)


def _places(trace: Trace, item: Any) -> Iterator[Place]:
    node = item.dep.target
    positions: dict[int, list[int]] = defaultdict(list)
    for position, root in sorted(zip(item.idxs, item.root_idxs, strict=True)):
        positions[root].append(position)
    if node.type == tp.ops.OPTYPE.OUTPUT:
        raise UntieableError("its channels are an output of the network")
    if node.type in _FREE:
        return
    if node.type == tp.ops.OPTYPE.PARAMETER:
        name = trace.graph._param_to_name[node.module]
        yield Place(name, node.pruning_dim, "through", dict(positions))
        return
    layer = trace.graph._module2name[node.module]
    is_output = item.dep.handler == trace.graph.get_pruner_of_module(node.module).prune_out_channels
    for place in _of_module(node.module, is_output):
        yield replace(place, tensor=f"{layer}.{place.tensor}", positions=dict(positions))


def _of_module(module: nn.Module, is_output: bool) -> list[Place]:
    for kind, places in _RULES.items():
        if isinstance(module, kind):
            return places(module, is_output)
    raise UntieableError(f"a layer of type {type(module).__name__} is tied, which cannot be sliced")


def _conv(module: nn.Module, is_output: bool) -> list[Place]:
    conv = cast(nn.modules.conv._ConvNd, module)
    if conv.groups > 1 and conv.groups == conv.in_channels == conv.out_channels:
        return _vectors(module, ("weight", "bias"), "through")
    if conv.transposed and conv.groups > 1:
        raise UntieableError("a grouped transposed convolution is tied, which cannot be sliced")
    if conv.groups == conv.out_channels > 1:
        raise UntieableError("a depthwise convolution that narrows is tied, which is not supported")
    grouped = conv.groups
    if not is_output:
        return [Place("weight", 0 if conv.transposed else 1, "input", {}, grouped)]
    weight = Place("weight", 1 if conv.transposed else 0, "output", {}, grouped)
    bias = [] if conv.bias is None else [Place("bias", 0, "output", {}, grouped)]
    return [weight, *bias]


def _linear(module: nn.Module, is_output: bool) -> list[Place]:
    if not is_output:
        return [Place("weight", 1, "input", {})]
    return _vectors(module, ("weight", "bias"), "output")


def _batch_norm(module: nn.Module, _is_output: bool) -> list[Place]:
    return _vectors(module, ("weight", "bias", "running_mean", "running_var"), "through")


def _prelu(module: nn.Module, _is_output: bool) -> list[Place]:
    shared = module.get_parameter("weight").numel() == 1
    return [] if shared else _vectors(module, ("weight",), "through")


def _channel_map(_module: nn.Module, is_output: bool) -> list[Place]:
    return [Place("channel_map", 0, "output" if is_output else "values", {})]


def _vectors(module: nn.Module, names: Sequence[str], role: Role) -> list[Place]:
    return [Place(name, 0, role, {}) for name in names if getattr(module, name) is not None]


_RULES: dict[type[nn.Module], Callable[[nn.Module, bool], list[Place]]] = {
    nn.modules.conv._ConvNd: _conv,
    nn.Linear: _linear,
    nn.modules.batchnorm._BatchNorm: _batch_norm,
    nn.PReLU: _prelu,
    ChannelMap: _channel_map,
}
