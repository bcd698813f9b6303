"""Operators that compute: element by element, over windows of pixels, over whole axes."""

from __future__ import annotations

from typing import Any

from torch import fx

from autoprune.pruning.dependencies.flows import Flow, Reading, shapes
from autoprune.pruning.dependencies.vectors import first_tensor_behind, vectors_behind
from autoprune.pruning.graph_nodes import (
    argument,
    is_pointwise,
    operator_name,
    reduced_axes,
    shape_of,
)

POOLS = frozenset(
    f"{kind}{n}d"
    for n in (1, 2, 3)
    for kind in ("adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "max_pool", "lp_pool")
) | frozenset(
    {"upsample_bicubic2d", "upsample_bilinear2d", "upsample_linear1d"}
    | {f"upsample_{kind}" for kind in ("nearest1d", "nearest2d", "nearest3d", "trilinear3d")}
)
"""Each channel by itself, over pixels."""
REDUCTIONS = frozenset(
    {"amax", "amin", "argmax", "argmin", "linalg_vector_norm", "max", "mean", "min", "norm"}
    | {"std", "sum", "var"}
)
ALONG = frozenset({"softmax", "log_softmax", "cumsum", "normalize"})
"""Along one axis, which stays."""
_OVER_ALL = "it is computed over all its channels"


def pointwise(reading: Reading, node: fx.Node) -> Flow | None:
    """Tensors combined at a place are cut at the same places."""
    found = reading.flows_into(node)
    if not found:
        return None
    rank = len(shape_of(node))
    places = {len(shape_of(source)) - flow.axis for source, flow in found}
    if len(places) > 1:
        reading.freeze(node, "channels of different axes are combined")
        return None
    axis = rank - places.pop()
    flow = Flow(axis, found[0][1].labels)
    for _, other in found[1:]:
        reading.labels.tie(flow.labels, other.labels)
    for source in node.all_input_nodes:
        if source not in {source for source, _ in found}:
            _join(reading, source, flow, rank)
    return flow


def pooled(reading: Reading, node: fx.Node) -> Flow | None:
    """Channels are the first axis after the batch, and stay it."""
    flow = reading.flow(argument(node, 0, None))
    if flow is not None and flow.axis != 1:
        reading.freeze(node, "windows are taken across its channels")
        return None
    return flow


def reduced(reading: Reading, node: fx.Node) -> Flow | None:
    """Axes go or become one; channels may not be among them."""
    if len(node.all_input_nodes) > 1:
        return pointwise(reading, node)  # max and min of two tensors
    flow = reading.flow(argument(node, 0, None))
    if flow is None:
        return None
    rank = len(shape_of(argument(node, 0, None)))
    gone = reduced_axes(node, rank)
    if flow.axis in gone:
        summed = operator_name(node) in ("mean", "sum")
        reading.freeze(node, "its channels are summed up" if summed else _OVER_ALL)
        return None
    kept = len(shape_of(node)) == rank
    return Flow(flow.axis if kept else flow.axis - sum(d < flow.axis for d in gone), flow.labels)


def along(reading: Reading, node: fx.Node) -> Flow | None:
    """What is computed along an axis depends on all of it."""
    flow = reading.flow(argument(node, 0, None))
    rank = len(shape_of(argument(node, 0, None)))
    if flow is None or int(argument(node, 1, -1)) % rank != flow.axis:
        return flow
    reading.freeze(node, _OVER_ALL)
    reading.ends[node] = flow.labels
    return None


def product(reading: Reading, node: fx.Node) -> Flow | None:
    """matmul, bmm: what is summed over stays; other axes go on.

    No weight reads what two activations are summed over. So a lost channel could not be masked, and
    to cut it changes the product by as much as it says: little where the weights are small, which
    no tolerance tells from rounding.
    """
    inputs: list[Any] = list(node.args[:2])
    ranks = [len(shape_of(each)) for each in inputs]
    flows = [reading.flow(each) for each in inputs]
    if min(ranks) < 2:
        reading.freeze(node, "a product with a vector reads its channels")
        return None
    first, second = (
        flow if flow is not None and flow.axis == summed else None
        for flow, summed in zip(flows, (ranks[0] - 1, ranks[1] - 2), strict=True)
    )
    if first is not None or second is not None:
        reading.freeze(node, "a product of activations sums over its channels")
        return None
    back = [
        Flow(len(shape_of(node)) - (rank - flow.axis), flow.labels)
        for flow, rank in zip(flows, ranks, strict=True)
        if flow is not None
    ]
    return _only(reading, node, back)


def attention(reading: Reading, node: fx.Node) -> Flow | None:
    """scaled_dot_product_attention: (query, key, value, ...), [..., tokens, channels]."""
    query, key, value = (reading.flow(argument(node, n, None)) for n in range(3))
    for compared in (query, key):
        if compared is not None:
            reading.labels.freeze(
                compared.labels, "attention is scaled by how many channels it has"
            )
    if value is not None and value.axis != len(shape_of(node)) - 1:
        reading.labels.freeze(value.labels, "attention mixes its channels")
        return None
    return value


def _only(reading: Reading, node: fx.Node, flows: list[Flow]) -> Flow | None:
    if len(flows) > 1:
        reading.freeze(node, "channels of different axes are combined")
        return None
    return flows[0] if flows else None


def _join(reading: Reading, source: Any, flow: Flow, rank: int) -> None:
    """A tensor without a flow takes part: a parameter is cut along, anything else stops it."""
    shape = shapes(source)
    if shape is None:
        return
    dim = flow.axis - (rank - len(shape))
    if dim < 0 or shape[dim] == 1:
        return
    name = reading.tensor(source)
    if name is not None:
        reading.labels.place(name, dim, "through", flow.labels)
        return
    vectors = vectors_behind(reading, source, shape[dim], is_pointwise)
    if vectors:
        for vector in vectors:
            reading.labels.place(vector, 0, "through", flow.labels)
        return
    behind = first_tensor_behind(reading, source)
    what = f"what is computed from {behind!r}" if behind else repr(source.name)
    reading.labels.freeze(
        flow.labels, f"its channels are combined with {what}, which is not pruned"
    )


RULES = {
    **dict.fromkeys(POOLS, pooled),
    **dict.fromkeys(REDUCTIONS, reduced),
    **dict.fromkeys(ALONG, along),
    "matmul": product,
    "bmm": product,
    "scaled_dot_product_attention": attention,
}
