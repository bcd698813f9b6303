"""Where prunable heads go when a tensor is looked at in another way.

A joint projection makes queries, keys and values of all heads along one axis. A view splits it;
from then on the heads have an axis of their own, and the features of one head are the channels.
Another view merges them again.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import fx

from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Heads, Reading, is_tensor
from autoprune.pruning.graph_functions import ACTIVATIONS, RULES
from autoprune.pruning.graph_nodes import operator_name, shape_of
from autoprune.pruning.graph_splits import read_as_images
from autoprune.pruning.graph_views import RESHAPES, Shape, moved, part_axis, view

KEEPS_HEADS = frozenset(
    {
        *ACTIVATIONS,
        *RULES,
        "add",
        "bmm",
        "div",
        "expand_as",
        "layer_norm",
        "linalg_vector_norm",
        "log_softmax",
        "matmul",
        "maximum",
        "minimum",
        "mul",
        "neg",
        "rsub",
        "scaled_dot_product_attention",
        "softmax",
        "sub",
    }
)
"""What follows heads besides views; whatever else takes them is refused."""


def view_with_heads(reading: Reading, node: fx.Node) -> Flow:
    """Where channels and heads are afterwards.

    Raises:
        ModelError: they are split or cut otherwise than into whole heads.
    """
    source, flow = reading.source(node)
    if flow.heads is None:
        split = _split(reading, node, source, flow)
        return view(reading, node) if split is None else split
    if not is_tensor(node):
        return flow
    merged = _merged(node, source, flow, flow.heads)
    if merged is not None:
        return merged
    axis = _axis_of_heads(reading, node, source, flow.heads)
    if axis is None or shape_of(node)[axis] != flow.heads.units.at(reading.full):
        raise reading.unfollowed(node, node.all_input_nodes[0])
    return replace(view(reading, node), heads=replace(flow.heads, axis=axis))


def _split(reading: Reading, node: fx.Node, source: fx.Node, flow: Flow) -> Flow | None:
    """Channels that lie unit by unit, each unit's in one run, as an axis of units and one of runs.

    None where this is no such view.
    """
    if operator_name(node) not in RESHAPES or flow.run < 2 or len(flow.channels.multiples) != 1:
        return None
    if read_as_images(node):
        return None  # the units are the channels, and the runs their pixels
    before, after = shape_of(source), shape_of(node)
    units = reading.full[flow.channels.multiples[0][0]]
    inside = math.prod(before[flow.axis + 1 :])
    for axis, size in enumerate(after[:-1]):
        # What is further in than the units is one run, alone on its axis.
        whole = math.prod(after[axis + 1 :]) == flow.run * inside and after[axis + 1] == flow.run
        if whole and size == units and not flow.channels.constant:
            heads = Heads(Channels(0, ((flow.channels.multiples[0][0], 1),)), axis)
            return Flow(Channels(flow.run), axis + 1, heads=heads)
    return None


def _merged(node: fx.Node, source: fx.Node, flow: Flow, heads: Heads) -> Flow | None:
    """Heads and their features on one axis again; None where this is no such view."""
    if operator_name(node) not in RESHAPES or heads.axis != flow.axis - 1 or not is_tensor(source):
        return None
    before, after = shape_of(source), shape_of(node)
    outside, features = math.prod(before[: heads.axis]), before[flow.axis]
    for axis, size in enumerate(after):
        if math.prod(after[:axis]) == outside and size == before[heads.axis] * features:
            return Flow(heads.units.times(features), axis, run=features)
    return None


def _axis_of_heads(reading: Reading, node: fx.Node, source: fx.Node, heads: Heads) -> int | None:
    if not is_tensor(source):
        return part_axis(reading, source, heads.axis)
    before, after = shape_of(source), shape_of(node)
    if operator_name(node) in RESHAPES:
        return _reshaped(heads.axis, before, after)
    return moved(node, heads.axis, before, after)


def _reshaped(axis: int, before: Shape, after: Shape) -> int | None:
    """The axis that has as much outside and inside of it as before."""
    for place, size in enumerate(after):
        alike = math.prod(after[:place]) == math.prod(before[:axis])
        if alike and size == before[axis] and size > 1:
            return place
    return None
