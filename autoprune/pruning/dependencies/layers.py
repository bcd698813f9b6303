"""Layers with weights: what they read, what they put out, what they carry along."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from autoprune.pruning.dependencies.flows import Flow, Reading, shapes
from autoprune.pruning.dependencies.labels import FIXED
from autoprune.pruning.graph_nodes import argument, layer_of, shape_of


def convolution(reading: Reading, node: fx.Node) -> Flow | None:
    """conv1d, conv2d, conv3d: (input, weight, bias, stride, padding, dilation, groups)."""
    weight = _weight(reading, node, 1)
    if weight is None:
        return None
    shape, groups = shape_of(argument(node, 1, None)), int(argument(node, 6, 1))
    read = _read(reading, node)
    if groups > 1 and shape[1] == 1 and groups == shape[0]:
        return _through(reading, node, read, weight)
    if groups > 1 and shape[1] == 1:
        reading.freeze(node, "a depthwise convolution that widens reads its channels")
        return None
    _consume(reading, weight, 1, read.reshape(groups, -1))
    return _produce(reading, node, weight, 0, groups)


def transposed_convolution(reading: Reading, node: fx.Node) -> Flow | None:
    """conv_transpose1d to 3d: (input, weight, bias, stride, padding, output_padding, groups)."""
    weight = _weight(reading, node, 1)
    if weight is None:
        return None
    groups = int(argument(node, 6, 1))
    if groups > 1:
        reading.freeze(node, "a grouped transposed convolution reads its channels")
        return None
    _consume(reading, weight, 0, _read(reading, node).reshape(1, -1))
    return _produce(reading, node, weight, 1, 1)


def linear(reading: Reading, node: fx.Node) -> Flow | None:
    """linear: (input, weight, bias); channels are the last axis."""
    weight = _weight(reading, node, len(shape_of(node)) - 1)
    if weight is None:
        return None
    flow, shape = reading.flow(argument(node, 0, None)), shape_of(argument(node, 0, None))
    if flow is not None and flow.axis != len(shape) - 1:
        reading.freeze(node, "a linear layer is applied across its channels")
        flow = None
    read = torch.zeros(shape[-1], dtype=torch.int64) if flow is None else flow.labels
    _consume(reading, weight, 1, read.reshape(1, -1))
    return _produce(reading, node, weight, 0, 1, axis=len(shape) - 1)


def embedding(reading: Reading, node: fx.Node) -> Flow | None:
    """embedding: (weight, indices); rows are looked up, columns are channels."""
    weight = reading.tensor(argument(node, 0, None))
    if weight is None:
        _stop_at_computed(reading, node, len(shape_of(node)) - 1)
        return None
    labels = reading.labels.produced(weight, 1, shape_of(argument(node, 0, None))[1])
    return Flow(len(shape_of(node)) - 1, labels)


def channel_norm(reading: Reading, node: fx.Node) -> Flow | None:
    """Norms that have every channel by itself, with one of each of their tensors a channel.

    batch_norm, instance_norm: (input, weight, bias, running_mean, running_var, ...).
    """
    flow = reading.flow(argument(node, 0, None))
    if flow is not None and flow.axis != 1:
        reading.freeze(node, "it normalises across its channels")
        return None
    if flow is not None:
        _carry(reading, node.args[1:5], flow.labels)
    return flow


def layer_norm(reading: Reading, node: fx.Node) -> Flow | None:
    """Statistics over the channels change with how many there are."""
    flow = reading.flow(argument(node, 0, None))
    if flow is None:
        return None
    over = len(argument(node, 1, ()))
    if flow.axis >= len(shape_of(node)) - over:
        reading.freeze(node, "a layer norm takes its statistics over its channels")
        return None
    return flow


def group_norm(reading: Reading, node: fx.Node) -> Flow | None:
    """Statistics over groups of channels, whose number is fixed."""
    reading.freeze(node, "a group norm takes its statistics over its channels")
    return None


def prelu(reading: Reading, node: fx.Node) -> Flow | None:
    """prelu: (input, weight); the weight is one for all or one a channel."""
    flow, shape = reading.flow(argument(node, 0, None)), shapes(argument(node, 1, None))
    if flow is not None and shape is not None and shape[0] > 1:
        _carry(reading, node.args[1:2], flow.labels)
    return flow


def channel_map(reading: Reading, node: fx.Node, layer: str) -> Flow | None:
    """The two sides of a channel map are apart: its entries name what it reads."""
    found = reading.flows_into(node)
    tensor, module = f"{layer}.channel_map", reading.maps[layer]
    if found:
        reading.labels.place(tensor, -1, "values", found[0][1].labels)
    labels = reading.labels.produced(tensor, 0, len(module.channel_map))
    return Flow(1, labels)


def _weight(reading: Reading, node: fx.Node, axis: int) -> str | None:
    """A layer's weight; where it is computed, both sides stay, the output along ``axis``."""
    weight = reading.tensor(argument(node, 1, None))
    if weight is None:
        _stop_at_computed(reading, node, axis)
    else:
        _met(reading, weight)
    return weight


def _stop_at_computed(reading: Reading, node: fx.Node, axis: int) -> None:
    """Neither side can be cut: what the layer reads stays, and what it puts out along ``axis``."""
    reading.freeze(node, "a layer whose weight is computed reads its channels")
    layer = layer_of(node)
    if layer:
        _met(reading, f"{layer}.weight")
        labels = reading.labels.produced(f"{layer}.{node.name}", 0, shape_of(node)[axis])
        reading.labels.freeze(labels, "its weight is computed from other tensors")


def _met(reading: Reading, weight: str) -> None:
    layer = weight.rpartition(".")[0]
    if layer not in reading.layers:
        reading.layers.append(layer)


def _read(reading: Reading, node: fx.Node) -> torch.Tensor:
    """Labels of the channels that a convolution reads, [C]."""
    flow, shape = reading.flow(argument(node, 0, None)), shape_of(argument(node, 0, None))
    if flow is not None and flow.axis == 1:
        return flow.labels
    reading.freeze(node, "a convolution runs across its channels")
    return torch.zeros(shape[1], dtype=torch.int64)


def _consume(reading: Reading, weight: str, dim: int, read: torch.Tensor) -> None:
    """``read``: [groups, channels of a group]; a grouped weight's rows are shared by all groups."""
    if len(read) > 1 and bool((read > FIXED).any()):
        reading.labels.tie(read[1:], read[0])
    reading.labels.place(weight, dim, "input", read[0])


def _produce(
    reading: Reading, node: fx.Node, weight: str, dim: int, groups: int, axis: int = 1
) -> Flow | None:
    labels = reading.labels.produced(weight, dim, shape_of(node)[axis])
    if groups > 1:
        reading.labels.tie(labels.reshape(groups, -1)[1:], labels.reshape(groups, -1)[0])
    _carry(reading, node.args[2:3], labels, "output")
    if len(labels) == 1:
        reading.labels.freeze(labels, "it has a single channel, which cannot go")
        reading.ends[node] = labels
        return None
    return Flow(axis, labels)


def _through(reading: Reading, node: fx.Node, read: torch.Tensor, weight: str) -> Flow | None:
    if not bool((read > FIXED).any()):
        return None
    reading.labels.place(weight, 0, "through", read)
    _carry(reading, node.args[2:3], read)
    return Flow(1, read)


def _carry(reading: Reading, tensors: Any, labels: torch.Tensor, role: Any = "through") -> None:
    """Vectors with one element a channel."""
    for source in tensors:
        name = reading.tensor(source)
        if name is not None:
            reading.labels.place(name, 0, role, labels)
        elif isinstance(source, fx.Node):
            where = layer_of(source) or "the network itself"
            reading.labels.freeze(labels, f"{where!r} computes a weight of its channels")


RULES = {
    **{f"conv{n}d": convolution for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": transposed_convolution for n in (1, 2, 3)},
    "linear": linear,
    "embedding": embedding,
    "batch_norm": channel_norm,
    "instance_norm": channel_norm,
    "layer_norm": layer_norm,
    "rms_norm": layer_norm,
    "group_norm": group_norm,
    "prelu": prelu,
}
