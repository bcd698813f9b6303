"""Pricing a tensor divided by its own length, as ``torch.nn.functional.normalize`` writes it.

Four steps stand in the graph: the length, its lower bound, its expansion, and the division. The
first carries the price of all.
"""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from autoprune.errors import ModelError
from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Reading, Rule, name_of
from autoprune.pruning.graph_heads import view_with_heads
from autoprune.pruning.graph_nodes import argument, operator_name, shape_of
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator

_STEPS = ("div", "expand_as", "clamp_min", "linalg_vector_norm")
"""From the last to the first."""


def normalised(node: fx.Node) -> fx.Node | None:
    """What a division divides by its own length; None where it divides by something else."""
    step: Any = node
    for position, name in enumerate(_STEPS):
        if not isinstance(step, fx.Node) or operator_name(step) != name:
            return None
        step = step.args[1 if position == 0 else 0]
    whole = node.args[0]
    return whole if isinstance(whole, fx.Node) and step is whole else None


def _length(reading: Reading, node: fx.Node) -> Flow:
    source, flow = reading.source(node)
    shape, rank = shape_of(source), len(shape_of(source))
    dims: Any = argument(node, 2, None)
    plain = argument(node, 1, 2) == 2 and argument(node, 3, False)
    if not plain or dims is None or [dim % rank for dim in dims] != [rank - 1]:
        raise ModelError(
            f"layer {name_of(node)!r} takes norms over dimensions {dims} of {shape}; only a tensor "
            "divided by its length over the last one has a price"
        )
    _check_users(node)
    channels = flow.channels
    if flow.axis != rank - 1:
        reading.fixed(node, source)
        channels = Channels(shape[-1])
    if flow.heads is not None and flow.heads.axis == rank - 1:
        raise reading.unfollowed(node, source)
    rows = reading.per_image(math.prod(shape[:-1]))
    operator = Operator("l2_norm", shape[-1], shape[-1], height=rows)
    repeats = reading.repeats(flow.heads, "height", rows, operator.variant)
    reading.emit(Term(operator, channels, channels, name_of(node), repeats=repeats), rank - 1)
    return Flow(flow.channels, flow.axis, heads=flow.heads)


def _part(reading: Reading, node: fx.Node) -> Flow:
    """A step between the length and the division."""
    source, flow = reading.source(node)
    if operator_name(source) not in _STEPS:
        raise ModelError(
            f"layer {name_of(node)!r} computes {operator_name(node)!r}, which has a price only "
            "where a tensor is divided by its length"
        )
    return flow


def _expanded(reading: Reading, node: fx.Node) -> Flow:
    """The length beside the tensor it divides; anything else is expanded as a view is."""
    bounded: Any = node.args[0]
    if operator_name(bounded) == _STEPS[2] and operator_name(bounded.args[0]) == _STEPS[3]:
        return _part(reading, node)
    return view_with_heads(reading, node)


def _check_users(node: fx.Node) -> None:
    """That each step is read by the next one alone, up to the division of the same tensor."""
    step = node
    for name in reversed(_STEPS[:-1]):
        users = list(step.users)
        if len(users) != 1 or operator_name(users[0]) != name:
            break
        step = users[0]
    if normalised(step) is None:
        raise ModelError(
            f"layer {name_of(node)!r} takes the length of a tensor for something else than to "
            "divide that tensor by it, which no rule prices"
        )


RULES: dict[str, Rule] = {
    "linalg_vector_norm": _length,
    "expand_as": _expanded,
}
