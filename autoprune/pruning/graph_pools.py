"""Pricing what pools pixels or reduces axes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from torch import fx

from autoprune.errors import ModelError
from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Reading, Rule, name_of
from autoprune.pruning.graph_nodes import argument, operator_name, pair, reduced_axes, shape_of
from autoprune.pruning.graph_pixels import elementwise
from autoprune.pruning.graph_rows import beside, channels_before_last, in_a_row
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator, OperatorKind

_REDUCTIONS: dict[str, OperatorKind] = {
    "mean": "global_avg_pool",
    "sum": "global_avg_pool",
    **dict.fromkeys(("amax", "amin", "max", "min"), "global_max_pool"),
}


def _pool(reading: Reading, node: fx.Node) -> Flow:
    kind: OperatorKind = "max_pool" if operator_name(node) == "max_pool2d" else "avg_pool"
    kernel = pair(node.args[1])
    return reading.alike(
        node,
        kind,
        kernel=kernel,
        stride=pair(argument(node, 2, None) or kernel),
        padding=pair(argument(node, 3, 0)),
        dilation=pair(argument(node, 4, 1)) if kind == "max_pool" else (1, 1),
    )


def _pool1d(reading: Reading, node: fx.Node) -> Flow:
    kind: OperatorKind = "max_pool" if operator_name(node) == "max_pool1d" else "avg_pool"
    kernel = beside(1, node.args[1])
    return in_a_row(
        reading,
        node,
        kind,
        kernel=kernel,
        stride=beside(1, argument(node, 2, None) or kernel),
        padding=beside(0, argument(node, 3, 0)),
        dilation=beside(1, argument(node, 4, 1)) if kind == "max_pool" else (1, 1),
    )


def _adaptive_pool(reading: Reading, node: fx.Node) -> Flow:
    source, flow = reading.source(node)
    before, after = shape_of(source)[-2:], shape_of(node)[-2:]
    if before == after and after != (1, 1):
        return flow
    return reading.alike(node, **_window(operator_name(node), before, after))


def _window(name: str, before: tuple[int, ...], after: tuple[int, ...]) -> dict[str, Any]:
    """Kind, and the kernel and stride that come nearest, of a pooling to a given size."""
    if after == (1, 1) and "avg" in name:
        return {"kind": "global_avg_pool"}
    sides = tuple(zip(before, after, strict=True))
    return {
        "kind": "avg_pool" if "avg" in name else "max_pool",
        "kernel": tuple(math.ceil(b / a) for b, a in sides),
        "stride": tuple(max(1, b // a) for b, a in sides),
    }


def _adaptive_pool1d(reading: Reading, node: fx.Node) -> Flow:
    """As in two dimensions, at a height of 1; over prunable channels no rule follows them."""
    length, after = shape_of(reading.source(node)[0])[-1], shape_of(node)[-1]
    if length == after != 1:
        return replace(channels_before_last(reading, node), term=None)
    return in_a_row(reading, node, **_window(operator_name(node), (1, length), (1, after)))


def _reduction(reading: Reading, node: fx.Node) -> Flow:
    """Over all pixels a pooling; over other axes one of what is kept, over what is not."""
    if len(node.all_input_nodes) > 1:
        return elementwise(reading, node)  # max and min of two tensors
    kind = _REDUCTIONS[operator_name(node)]
    source, flow = reading.source(node)
    shape = shape_of(source)
    gone = reduced_axes(node, len(shape))
    if 0 in gone and not _is_stacked_first(source):
        raise ModelError(
            f"layer {name_of(node)!r} takes {operator_name(node)!r} over all images of a batch "
            f"(of shape {shape}); only one over the pixels, tokens or channels of each image has a "
            "price"
        )
    kept = len(shape_of(node)) == len(shape)
    axis = flow.axis if kept else flow.axis - sum(dim < flow.axis for dim in gone)
    if gone == set(range(1, len(shape))) - {flow.axis}:
        return replace(reading.alike(node, kind), axis=axis)
    count = reading.per_image(math.prod(n for dim, n in enumerate(shape) if dim not in gone))
    channels, out = Channels(count), flow.channels
    if flow.axis in gone:
        reading.fixed(node, source)
        axis = min(1, len(shape_of(node)) - 1)
        out = Channels(shape_of(node)[axis])
    else:
        channels = flow.channels.times(count // shape[flow.axis])
    length = math.prod(shape[dim] for dim in gone)
    operator = Operator(kind, count, count, 1, length)
    term = reading.emit(Term(operator, channels, channels, name_of(node)), axis).term
    return Flow(out, axis, term)


def _is_stacked_first(node: fx.Node) -> bool:
    """Whether its first axis counts tensors that were stacked, not the images of a batch."""
    return operator_name(node) == "stack" and int(argument(node, 1, 0)) % len(shape_of(node)) == 0


RULES: dict[str, Rule] = {
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "max_pool1d": _pool1d,
    "avg_pool1d": _pool1d,
    "adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_avg_pool1d": _adaptive_pool1d,
    "adaptive_max_pool2d": _adaptive_pool,
    "adaptive_max_pool1d": _adaptive_pool1d,
    **dict.fromkeys(_REDUCTIONS, _reduction),
}
