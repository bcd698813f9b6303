"""What the exporter writes for one operator, by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from latency_tables.operators import Operator
from latency_tables.runtimes.onnx_builder import GraphBuilder
from latency_tables.runtimes.onnx_export import INPUT_NAME
from latency_tables.runtimes.semantics import SCALED, TRANSPOSED, constant_shape, padding_of

_SCALAR = 0.5


def _conv(graph: GraphBuilder, op: Operator) -> str:
    # A convolution over one dimension has one value where others have two.
    first = 1 if op.kind == "conv1d" else 0
    kernel: tuple[int, ...] = op.kernel[first:]
    shared: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": op.stride[first:],
        "pads": op.padding[first:] * 2,
        "dilations": op.dilation[first:],
        "group": op.groups,
    }
    bias = (graph.weights(op.out_channels),) if op.bias else ()
    if op.kind == "conv_transpose":
        weights = graph.weights(op.in_channels, op.out_channels // op.groups, *kernel)
        padding = {"output_padding": op.output_padding} if any(op.output_padding) else {}
        return graph.node("ConvTranspose", INPUT_NAME, weights, *bias, **shared, **padding)
    weights = graph.weights(op.out_channels, op.in_channels // op.groups, *kernel)
    return graph.node("Conv", INPUT_NAME, weights, *bias, **shared)


def _linear(graph: GraphBuilder, op: Operator) -> str:
    if len(graph.inputs[0][1]) == 3 or not op.bias:
        # Gemm is for matrices with a bias; the exporter writes others as a product and a sum.
        product = graph.node("MatMul", INPUT_NAME, graph.weights(op.in_channels, op.out_channels))
        return graph.node("Add", graph.weights(op.out_channels), product) if op.bias else product
    weights = graph.weights(op.out_channels, op.in_channels)
    return graph.node("Gemm", INPUT_NAME, weights, graph.weights(op.out_channels), transB=1)


def _matmul(graph: GraphBuilder, op: Operator) -> str:
    first, second = INPUT_NAME, f"{INPUT_NAME}1"
    if op.variant in SCALED:
        first = graph.node("Mul", first, graph.scalar(_SCALAR))
    if op.variant in TRANSPOSED:
        second = graph.node("Transpose", second, perm=(0, 2, 1))
    return graph.node("MatMul", first, second)


def _attention(graph: GraphBuilder, op: Operator) -> str:
    keys, values, mask = (f"{INPUT_NAME}{number}" for number in (1, 2, 3))
    # Both factors get the square root of 1 / sqrt(head_dim), as the exporter does.
    scale = graph.scalar(op.head_dim**-0.25)
    queries = graph.node("Mul", INPUT_NAME, scale)
    keys = graph.node("Mul", graph.node("Transpose", keys, perm=(0, 1, 3, 2)), scale)
    scores = graph.node("MatMul", queries, keys)
    if op.variant == "causal":
        later = np.triu(np.full((op.height, op.width), -np.inf, dtype=np.float32), k=1)
        scores = graph.node("Add", scores, graph.constant(later))
    if op.variant == "masked":
        scores = graph.node("Add", scores, mask)
    return graph.node("MatMul", graph.node("Softmax", scores, axis=-1), values)


def _elementwise(kind: str) -> Callable[[GraphBuilder, Operator], str]:
    def build(graph: GraphBuilder, op: Operator) -> str:
        second = f"{INPUT_NAME}1"
        if op.variant == "scalar":
            second = graph.scalar(_SCALAR)
        if op.variant == "per_channel":
            second = graph.weights(*constant_shape(op))
        return graph.node(kind, INPUT_NAME, second)

    return build


def _max_pool(graph: GraphBuilder, op: Operator) -> str:
    return graph.node(
        "MaxPool",
        INPUT_NAME,
        kernel_shape=op.kernel,
        strides=op.stride,
        pads=op.padding * 2,
        dilations=op.dilation,
    )


def _avg_pool(graph: GraphBuilder, op: Operator) -> str:
    return graph.node(
        "AveragePool",
        INPUT_NAME,
        kernel_shape=op.kernel,
        strides=op.stride,
        pads=op.padding * 2,
        count_include_pad=1,
    )


def _global_max_pool(graph: GraphBuilder, _op: Operator) -> str:
    return graph.node("ReduceMax", INPUT_NAME, axes=(2, 3), keepdims=1)


def _resize(graph: GraphBuilder, op: Operator) -> str:
    _, shape = graph.inputs[0]
    sizes = graph.constant(np.array([*shape[:2], *op.kernel]))
    kind, _, corners = (op.variant or "nearest").partition("_")
    places = "align_corners" if corners else "half_pixel"
    modes: dict[str, dict[str, Any]] = {
        "nearest": {"mode": "nearest", "nearest_mode": "floor"},
        "bilinear": {"mode": "linear"},
        "bicubic": {"mode": "cubic", "cubic_coeff_a": -0.75},
    }
    if op.variant is None:
        places = "asymmetric"
    return graph.node(
        "Resize", INPUT_NAME, "", "", sizes, coordinate_transformation_mode=places, **modes[kind]
    )


def _pad(graph: GraphBuilder, op: Operator) -> str:
    rows, columns = padding_of(op)
    if op.variant != "circular":
        (top, bottom), (left, right) = rows, columns
        sizes = graph.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
        return graph.node(
            "Pad", INPUT_NAME, sizes, mode="edge" if op.variant == "replicate" else op.variant
        )
    value = INPUT_NAME
    for axis, (before, after) in ((2, rows), (3, columns)):
        last, first = (-before, np.iinfo(np.int64).max), (0, after)
        parts = [
            _slice(graph, value, axis, *last) if before else None,
            value,
            _slice(graph, value, axis, *first) if after else None,
        ]
        # The exporter copies along an axis too that nothing is put around.
        value = graph.node("Concat", *(part for part in parts if part), axis=axis)
    return value


def _slice(graph: GraphBuilder, value: str, axis: int, start: int, end: int) -> str:
    bounds = (graph.constant(np.array([bound])) for bound in (start, end, axis))
    return graph.node("Slice", value, *bounds)


def _pixel_unshuffle(graph: GraphBuilder, op: Operator) -> str:
    [(name, (batch, channels, height, width))] = graph.inputs
    block = op.kernel[0]
    rows, columns = height // block, width // block
    apart = graph.constant(np.array([batch, channels, rows, block, columns, block]))
    value = graph.node("Reshape", name, apart)
    value = graph.node("Transpose", value, perm=[0, 1, 3, 5, 2, 4])
    joined = graph.constant(np.array([batch, channels * block * block, rows, columns]))
    return graph.node("Reshape", value, joined)


def _channel_map(graph: GraphBuilder, op: Operator) -> str:
    value = INPUT_NAME
    for axis, step in zip((2, 3), op.stride, strict=True):
        if step > 1:
            bounds = [[0], [np.iinfo(np.int64).max], [axis], [step]]
            value = graph.node(
                "Slice", value, *(graph.constant(np.array(bound)) for bound in bounds)
            )
    value = graph.node("Pad", value, graph.constant(np.array([0, 0, 0, 0, 0, 1, 0, 0])))
    # Index in_channels is the padded zero channel.
    index = np.minimum(np.arange(op.out_channels), op.in_channels)
    return graph.node("Gather", value, graph.constant(index), axis=1)


def batch_norm(graph: GraphBuilder, op: Operator, value: str) -> str:
    """In evaluation mode, with random statistics."""
    ones = np.ones(op.out_channels, dtype=np.float32)
    scale, shift, mean = (graph.weights(op.out_channels) for _ in range(3))
    return graph.node("BatchNormalization", value, scale, shift, mean, graph.constant(ones))


def _instance_norm(graph: GraphBuilder, op: Operator) -> str:
    scale, shift = (graph.weights(op.in_channels) for _ in range(2))
    return graph.node("InstanceNormalization", INPUT_NAME, scale, shift)


def _layer_norm(graph: GraphBuilder, op: Operator) -> str:
    scale, shift = (graph.weights(op.in_channels) for _ in range(2))
    return graph.node("LayerNormalization", INPUT_NAME, scale, shift, axis=-1)


def _l2_norm(graph: GraphBuilder, _op: Operator) -> str:
    length = graph.node("ReduceL2", INPUT_NAME, axes=[-1], keepdims=1)
    bounded = graph.node("Clip", length, graph.scalar(1e-12))
    shape = graph.node("Shape", INPUT_NAME)
    return graph.node("Div", INPUT_NAME, graph.node("Expand", bounded, shape))


def _group_norm(graph: GraphBuilder, op: Operator) -> str:
    # Opset 17 has none: the exporter normalises the groups as if they were channels.
    parts = graph.constant(np.array([0, op.groups, -1]))
    ones, zeros = (np.full(op.groups, value, dtype=np.float32) for value in (1, 0))
    value = graph.node(
        "InstanceNormalization",
        graph.node("Reshape", INPUT_NAME, parts),
        graph.constant(ones),
        graph.constant(zeros),
    )
    value = graph.node("Reshape", value, graph.node("Shape", INPUT_NAME))
    scaled = graph.node("Mul", value, graph.weights(op.in_channels, 1, 1))
    return graph.node("Add", scaled, graph.weights(op.in_channels, 1, 1))


KINDS: dict[str, Callable[[GraphBuilder, Operator], str]] = {
    "conv": _conv,
    "conv1d": _conv,
    "conv_transpose": _conv,
    "linear": _linear,
    "matmul": _matmul,
    "attention": _attention,
    "batch_norm": lambda graph, op: batch_norm(graph, op, INPUT_NAME),
    "instance_norm": _instance_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "l2_norm": _l2_norm,
    "softmax": lambda graph, op: graph.node(
        "LogSoftmax" if op.variant == "log" else "Softmax", INPUT_NAME, axis=1
    ),
    "activation": lambda graph, op: INPUT_NAME,  # noqa: ARG005
    "add": _elementwise("Add"),
    "multiply": _elementwise("Mul"),
    "concat": lambda graph, op: graph.node(  # noqa: ARG005
        "Concat", *(name for name, _ in graph.inputs), axis=1
    ),
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "global_avg_pool": lambda graph, op: graph.node("GlobalAveragePool", INPUT_NAME),  # noqa: ARG005
    "global_max_pool": _global_max_pool,
    "resize": _resize,
    "pad": _pad,
    "pixel_shuffle": lambda graph, op: graph.node(
        "DepthToSpace", INPUT_NAME, blocksize=op.kernel[0], mode="CRD"
    ),
    "pixel_unshuffle": _pixel_unshuffle,
    "channel_map": _channel_map,
}
