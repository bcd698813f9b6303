"""Pricing layers with weights, norms and activations."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from torch import fx

from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Reading, Rule, name_of
from autoprune.pruning.graph_nodes import argument, layer_of, operator_name, pair, shape_of
from autoprune.pruning.graph_padding import padded_at_the_end, padding_of
from autoprune.pruning.terms import Term
from latency_tables.operators import CONVOLUTIONS, Operator, OperatorKind

_TAKES_BATCH_NORM = CONVOLUTIONS | {"linear"}


def _batch_norm(reading: Reading, node: fx.Node) -> Flow:
    fused = reading.fused(node, _TAKES_BATCH_NORM, batch_norm=True)
    return fused or reading.alike(node, "batch_norm")


def _instance_norm(reading: Reading, node: fx.Node) -> Flow:
    """By statistics of the image, or by stored ones, as a batch norm that nothing can take in."""
    return reading.alike(node, "instance_norm" if argument(node, 5, True) else "batch_norm")


def _layer_norm(reading: Reading, node: fx.Node) -> Flow:
    source, flow = reading.source(node)
    shape = shape_of(source)
    normalised: Any = node.args[1]
    first = len(shape) - len(normalised)
    count = math.prod(shape[first:])
    if flow.axis >= first:
        channels = flow.channels.times(count // shape[flow.axis])
    else:
        reading.fixed(node, source)
        channels = Channels(count)
    if flow.heads is not None and flow.heads.axis >= first:
        raise reading.unfollowed(node, source)
    rows = reading.per_image(math.prod(shape) // count)
    operator = Operator("layer_norm", count, count, height=rows)
    repeats = reading.repeats(flow.heads, "height", rows, operator.variant)
    reading.emit(Term(operator, channels, channels, name_of(node), repeats=repeats), flow.axis)
    return Flow(flow.channels, flow.axis, heads=flow.heads)


def _group_norm(reading: Reading, node: fx.Node) -> Flow:
    return reading.alike(node, "group_norm", groups=int(argument(node, 1, 1)))


def _conv(reading: Reading, node: fx.Node) -> Flow:
    kind: OperatorKind = "conv1d" if operator_name(node) == "conv1d" else "conv"
    name, weight = reading.weight(node)
    source, _ = reading.source(node)
    groups = int(argument(node, 6, 1))
    padding, more = padding_of(node, weight[2:])
    height, width = padded_at_the_end(reading, node, source, more)
    operator = Operator(
        kind,
        shape_of(source)[1],
        weight[0],
        height,
        width,
        kernel=_two(weight[2:], 1),
        stride=_two(argument(node, 3, 1), 1, len(weight) - 2),
        padding=_two(padding, 0),
        dilation=_two(argument(node, 5, 1), 1, len(weight) - 2),
        groups=groups,
        bias=argument(node, 2, None) is not None,
    )
    outputs = reading.sizes.of(name, 0, weight[0])
    inputs = reading.sizes.of(name, 1, weight[1]).times(groups)
    macs = float(math.prod(shape_of(node)[2:]) * math.prod(weight[2:]))
    if operator.depthwise:
        return reading.emit(Term(operator, outputs, outputs, layer_named(name), macs), 1)
    return reading.emit(Term(operator, inputs, outputs, layer_named(name), macs / groups), 1)


def _conv_transpose(reading: Reading, node: fx.Node) -> Flow:
    name, weight = reading.weight(node)
    source, _ = reading.source(node)
    groups = int(argument(node, 6, 1))
    height, width = reading.pixels(source, 1)
    operator = Operator(
        "conv_transpose",
        weight[0],
        weight[1] * groups,
        height,
        width,
        kernel=(weight[2], weight[3]),
        stride=pair(argument(node, 3, 1)),
        padding=pair(argument(node, 4, 0)),
        output_padding=pair(argument(node, 5, 0)),
        dilation=pair(argument(node, 7, 1)),
        groups=groups,
        bias=argument(node, 2, None) is not None,
    )
    inputs = reading.sizes.of(name, 0, weight[0])
    outputs = reading.sizes.of(name, 1, weight[1]).times(groups)
    # Every input pixel is multiplied with the whole kernel.
    macs = float(math.prod(shape_of(source)[2:]) * math.prod(weight[2:]))
    if operator.depthwise:
        return reading.emit(Term(operator, inputs, inputs, layer_named(name), macs), 1)
    return reading.emit(Term(operator, inputs, outputs, layer_named(name), macs / groups), 1)


def _linear(reading: Reading, node: fx.Node) -> Flow:
    name, (out_features, in_features) = reading.weight(node)
    shape = shape_of(reading.source(node)[0])
    positions = reading.per_image(math.prod(shape[:-1]))
    operator = Operator(
        "linear",
        in_features,
        out_features,
        height=positions,
        bias=argument(node, 2, None) is not None,
    )
    inputs = reading.sizes.of(name, 1, in_features)
    outputs = reading.sizes.of(name, 0, out_features)
    term = Term(operator, inputs, outputs, layer_named(name), float(positions))
    return replace(reading.emit(term, len(shape) - 1), run=reading.sizes.run(name, 0))


def channel_map(reading: Reading, node: fx.Node, layer: str) -> Flow:
    """All nodes of a ChannelMap together: the last one carries the price."""
    source, flow = reading.source(node)
    if operator_name(node) != "index_select":
        return flow
    while layer_of(source) == layer:
        source, flow = reading.source(source)
    module = reading.maps[layer]
    height, width = reading.pixels(source, 1)
    count = len(module.channel_map)
    operator = Operator(
        "channel_map",
        shape_of(source)[1],
        count,
        height,
        width,
        stride=(module.stride, module.stride),
    )
    outputs = reading.sizes.of(f"{layer}.channel_map", 0, count)
    return reading.emit(Term(operator, flow.channels, outputs, layer), 1)


def layer_named(parameter: str) -> str:
    """The module that a parameter belongs to."""
    return parameter.rpartition(".")[0] or parameter


def _two(value: Any, first: int, dims: int = 0) -> tuple[int, int]:
    """Two values of a trait: (``first``, value) where there is one dimension."""
    one_dimensional = dims == 1 if dims else len(value) == 1
    vertical, horizontal = pair(value)
    return (first, horizontal) if one_dimensional else (vertical, horizontal)


RULES: dict[str, Rule] = {
    "conv1d": _conv,
    "conv2d": _conv,
    "conv_transpose2d": _conv_transpose,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
}
