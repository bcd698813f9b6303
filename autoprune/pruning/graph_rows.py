"""Pricing what works on sequences, as on images at a height of 1."""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Reading, name_of
from autoprune.pruning.graph_nodes import pair, shape_of
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator, OperatorKind


def channels_before_last(reading: Reading, node: fx.Node) -> Flow:
    """Of what a node takes, with its channels on the axis before the last one.

    Raises:
        ModelError: channels that can be pruned are on another axis.
    """
    source, flow = reading.source(node)
    shape = shape_of(source)
    axis = len(shape) - 2
    if flow.axis == axis:
        return flow
    reading.fixed(node, source)
    return Flow(Channels(shape[axis]), axis)


def in_a_row(reading: Reading, node: fx.Node, kind: OperatorKind, **traits: Any) -> Flow:
    """A term with as many outputs as inputs; what is neither channel nor place is the height."""
    flow = channels_before_last(reading, node)
    *outer, count, length = shape_of(reading.source(node)[0])
    rows = reading.per_image(math.prod(outer))
    operator = Operator(kind, count, count, rows, length, **traits)
    return reading.emit(Term(operator, flow.channels, flow.channels, name_of(node)), flow.axis)


def beside(first: int, value: Any) -> tuple[int, int]:
    """A trait of one dimension in two: (``first``, value)."""
    return first, pair(value)[1]
