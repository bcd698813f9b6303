"""Pricing products of matrices and what stands between them."""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from autoprune.errors import ModelError
from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Reading, Rule, name_of
from autoprune.pruning.graph_layers import layer_named
from autoprune.pruning.graph_nodes import argument, operator_name, scales_a_product, shape_of
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator

_VARIANTS = {
    (False, False): None,
    (False, True): "transposed",
    (True, False): "scaled",
    (True, True): "scaled_transposed",
}
"""By whether the first factor is scaled, and whether the second one is transposed."""


def _matmul(reading: Reading, node: fx.Node) -> Flow:
    first, second = node.args[:2]
    if not isinstance(first, fx.Node) or not isinstance(second, fx.Node):
        raise ModelError(f"layer {name_of(node)!r} multiplies by what is no tensor")
    if min(len(shape_of(first)), len(shape_of(second))) < 2:
        raise ModelError(
            f"layer {name_of(node)!r} multiplies {shape_of(first)} by {shape_of(second)}; only "
            "products of matrices have a price"
        )
    if second.name in reading.tensors and len(shape_of(second)) == 2:
        return _by_weight(reading, node, first)
    rows, columns = shape_of(node)[-2:]
    inner = shape_of(first)[-1]
    copies = reading.per_image(math.prod(shape_of(node)[:-2]))
    operator = Operator(
        "matmul",
        inner,
        columns,
        height=rows,
        copies=copies,
        variant=_VARIANTS[scales_a_product(first), _swaps_last(second)],
    )
    inputs = _side(reading, node, first, -1)
    outputs = _side(reading, node, second, -1)
    heads = reading.heads(node)
    repeats = reading.repeats(heads, "copies", copies, operator.variant)
    if heads is not None and heads.axis >= len(shape_of(node)) - 2:
        raise reading.unfollowed(node, first)
    term = Term(operator, inputs, outputs, name_of(node), float(rows * copies), repeats)
    flow = reading.emit(term, len(shape_of(node)) - 1)
    return Flow(flow.channels, flow.axis, heads=heads)


def _by_weight(reading: Reading, node: fx.Node, first: fx.Node) -> Flow:
    """A linear layer that is written as a product."""
    name, (in_features, out_features) = reading.weight(node)
    shape = shape_of(first)
    positions = reading.per_image(math.prod(shape[:-1]))
    operator = Operator("linear", in_features, out_features, height=positions)
    inputs = reading.sizes.of(name, 0, in_features)
    outputs = reading.sizes.of(name, 1, out_features)
    term = Term(operator, inputs, outputs, layer_named(name), float(positions))
    return reading.emit(term, len(shape) - 1)


def _side(reading: Reading, node: fx.Node, factor: fx.Node, axis: int) -> Channels:
    """The channels along an axis of a factor, whose other axes are fixed."""
    shape = shape_of(factor)
    flow = reading.flows.get(factor)
    if flow is None:
        return Channels(shape[axis])
    if flow.axis == len(shape) + axis:
        return flow.channels
    reading.fixed(node, factor)
    return Channels(shape[axis])


def _swaps_last(node: fx.Node) -> bool:
    """Whether it looks at a tensor with its last two axes swapped, which a product does itself."""
    rank = len(shape_of(node))
    order = list(range(rank))
    swapped = [*order[:-2], order[-1], order[-2]]
    if operator_name(node) in ("swapaxes", "transpose"):
        dims = {int(dim) % rank for dim in node.args[1:3]}  # type: ignore[arg-type]
        return dims == set(order[-2:])
    if operator_name(node) == "permute":
        permutation: Any = node.args[1]
        return [dim % rank for dim in permutation] == swapped
    return False


def _attention(reading: Reading, node: fx.Node) -> Flow:
    queries, keys, values = (source for source in node.args[:3] if isinstance(source, fx.Node))
    shapes = [shape_of(source) for source in (queries, keys, values)]
    for source in reading.sources(node):
        reading.fixed(node, source)
    *outer, tokens, head_dim = shapes[0]
    heads = outer[-1] if len(outer) > 1 else 1
    if shapes[1] != shapes[2] or shapes[1] != (*outer, shapes[1][-2], head_dim):
        raise ModelError(
            f"layer {name_of(node)!r} attends with queries, keys and values of {shapes}; only "
            "heads of one size, as many of each, have a price"
        )
    variant = "causal" if _option(node, 5, "is_causal") else None
    if _option(node, 3, "attn_mask") is not None:
        variant = "masked"
    count = heads * head_dim
    copies = reading.per_image(math.prod(outer) // heads)
    operator = Operator(
        "attention",
        count,
        count,
        height=tokens,
        width=shapes[1][-2],
        head_dim=head_dim,
        copies=copies,
        variant=variant,
    )
    macs = 2.0 * tokens * shapes[1][-2] * copies
    prunable = reading.heads(node)
    if prunable is not None and prunable.axis != len(outer) - 1:
        raise reading.unfollowed(node, queries)
    channels = Channels(count) if prunable is None else prunable.units.times(head_dim)
    reading.emit(Term(operator, channels, channels, name_of(node), macs), 1)
    return Flow(Channels(head_dim), len(shapes[0]) - 1, heads=prunable)


def _option(node: fx.Node, position: int, name: str) -> Any:
    return node.kwargs.get(name, argument(node, position, None))


def _softmax(reading: Reading, node: fx.Node) -> Flow:
    source, flow = reading.source(node)
    shape = shape_of(source)
    axis = int(argument(node, 1, -1)) % len(shape)
    channels = flow.channels
    if axis != flow.axis:
        reading.fixed(node, source)
        channels = Channels(shape[axis])
    columns = math.prod(shape[axis + 1 :])
    if flow.heads is not None and flow.heads.axis >= axis:
        raise reading.unfollowed(node, source)
    operator = Operator(
        "softmax",
        shape[axis],
        shape[axis],
        height=reading.per_image(math.prod(shape[:axis])),
        width=columns,
        variant="log" if operator_name(node) == "log_softmax" else None,
    )
    repeats = reading.repeats(flow.heads, "height", operator.height, operator.variant)
    term = Term(operator, channels, channels, name_of(node), repeats=repeats)
    reading.emit(term, axis)
    return Flow(flow.channels, flow.axis, heads=flow.heads)


RULES: dict[str, Rule] = {
    "matmul": _matmul,
    "bmm": _matmul,
    "scaled_dot_product_attention": _attention,
    "softmax": _softmax,
    "log_softmax": _softmax,
}
