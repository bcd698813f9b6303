"""Pricing what makes one channel of several, or several of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import fx

from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Reading, Rule, name_of
from autoprune.pruning.graph_nodes import argument, operator_name, shape_of
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator, OperatorKind


def _shuffle(reading: Reading, node: fx.Node) -> Flow:
    """Both are counted by the channels of the larger images."""
    source, flow = reading.source(node)
    axis, block = len(shape_of(node)) - 3, int(argument(node, 1, 1))
    if flow.axis != axis:
        reading.fixed(node, source)
        flow = Flow(Channels(shape_of(source)[axis]), axis)
    kind: OperatorKind
    if operator_name(node) == "pixel_unshuffle":
        kind, larger = "pixel_unshuffle", flow.channels
        after = larger.times(block**2)
    else:
        kind, larger = "pixel_shuffle", _shared(reading, node, flow.channels, block**2)
        after = larger
    count = larger.at(reading.full)
    height, width = reading.pixels(source, axis)
    operator = Operator(kind, count, count, height, width, (block, block))
    return replace(
        reading.emit(Term(operator, larger, larger, name_of(node)), axis), channels=after
    )


def _gate(reading: Reading, node: fx.Node) -> Flow:
    """A sigmoid of one half, and the product of both."""
    flow = reading.source(node)[1]
    shape, channels = shape_of(node), flow.channels
    if int(argument(node, 1, -1)) % len(shape) == flow.axis:
        channels = _shared(reading, node, channels, 2)
    height, width = reading.pixels(node, flow.axis)
    steps: tuple[tuple[OperatorKind, Any], ...] = (("activation", "sigmoid"), ("multiply", None))
    for kind, activation in steps:
        count = shape[flow.axis]
        operator = Operator(kind, count, count, height, width, activation=activation)
        gated = reading.emit(Term(operator, channels, channels, name_of(node)), flow.axis)
    return gated


def _shared(reading: Reading, node: fx.Node, channels: Channels, parts: int) -> Channels:
    """One of so many equal parts of channels; raises ModelError where there are none."""
    share = channels.over(parts)
    if share is None:
        raise reading.unfollowed(node, reading.source(node)[0])
    return share


RULES: dict[str, Rule] = {
    "glu": _gate,
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _shuffle,
}
