"""Single-operator ONNX graphs, written as the exporter writes the same operator in a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from latency_tables.operators import Operator
from latency_tables.runtimes.onnx_export import INPUT_NAME, OPSET, OUTPUT_NAME
from latency_tables.runtimes.semantics import check_supported, input_shapes

IR_VERSION = 8
"""The oldest format that carries opset 17, so that older runtimes load it."""

Array = npt.NDArray[np.float32] | npt.NDArray[np.int64]


@dataclass
class GraphBuilder:
    """Nodes and constants of a graph with one thread of data through it."""

    inputs: list[tuple[str, tuple[int, ...]]]
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def constant(self, values: Array) -> str:
        """Add a constant; returns its name."""
        name = f"constant{len(self.constants)}"
        kind = TensorProto.INT64 if values.dtype == np.int64 else TensorProto.FLOAT
        self.constants.append(
            helper.make_tensor(name, kind, values.shape, values.tobytes(), raw=True)
        )
        return name

    def weights(self, *shape: int) -> str:
        """Add random weights of a size that keeps activations in range; returns their name."""
        values = self.rng.standard_normal(shape, dtype=np.float32)
        return self.constant(values * np.float32(np.prod(shape[1:]) ** -0.5))

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def model(self) -> bytes:
        """The finished model, whose output is the last node's."""
        self.nodes[-1].output[0] = OUTPUT_NAME
        graph = helper.make_graph(
            self.nodes,
            "operator",
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in self.inputs
            ],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, None)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        serialised: bytes = model.SerializeToString()
        return serialised


def _conv(graph: GraphBuilder, op: Operator) -> str:
    weights = graph.weights(op.out_channels, op.in_channels // op.groups, *op.kernel)
    bias = (graph.weights(op.out_channels),) if op.bias else ()
    return graph.node(
        "Conv",
        INPUT_NAME,
        weights,
        *bias,
        kernel_shape=op.kernel,
        strides=op.stride,
        pads=op.padding * 2,
        dilations=op.dilation,
        group=op.groups,
    )


def _linear(graph: GraphBuilder, op: Operator) -> str:
    weights = graph.weights(op.out_channels, op.in_channels)
    bias = (graph.weights(op.out_channels),) if op.bias else ()
    return graph.node("Gemm", INPUT_NAME, weights, *bias, transB=1)


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


def _batch_norm(graph: GraphBuilder, op: Operator, value: str) -> str:
    ones = np.ones(op.out_channels, dtype=np.float32)
    scale, shift, mean = (graph.weights(op.out_channels) for _ in range(3))
    return graph.node("BatchNormalization", value, scale, shift, mean, graph.constant(ones))


_KINDS: dict[str, Callable[[GraphBuilder, Operator], str]] = {
    "conv": _conv,
    "linear": _linear,
    "batch_norm": lambda graph, op: _batch_norm(graph, op, INPUT_NAME),
    "activation": lambda graph, op: INPUT_NAME,  # noqa: ARG005
    "add": lambda graph, op: graph.node("Add", INPUT_NAME, f"{INPUT_NAME}1"),  # noqa: ARG005
    "multiply": lambda graph, op: graph.node("Mul", INPUT_NAME, f"{INPUT_NAME}1"),  # noqa: ARG005
    "concat": lambda graph, op: graph.node(  # noqa: ARG005
        "Concat", *(name for name, _ in graph.inputs), axis=1
    ),
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "global_avg_pool": lambda graph, op: graph.node("GlobalAveragePool", INPUT_NAME),  # noqa: ARG005
    "channel_map": _channel_map,
}


def _scalar(graph: GraphBuilder, value: float) -> str:
    return graph.constant(np.array(value, dtype=np.float32))


def _gelu(graph: GraphBuilder, value: str) -> str:
    # x * (1 + erf(x / sqrt 2)) / 2, in the order of the exporter, which the runtime recognises.
    inner = graph.node("Erf", graph.node("Div", value, _scalar(graph, 2**0.5)))
    product = graph.node("Mul", value, graph.node("Add", inner, _scalar(graph, 1.0)))
    return graph.node("Mul", product, _scalar(graph, 0.5))


_ACTIVATIONS: dict[str, Callable[[GraphBuilder, str], str]] = {
    "elu": lambda graph, value: graph.node("Elu", value),
    "gelu": _gelu,
    "hardsigmoid": lambda graph, value: graph.node("HardSigmoid", value, alpha=1 / 6),
    "hardswish": lambda graph, value: graph.node("HardSwish", value),
    "leaky_relu": lambda graph, value: graph.node("LeakyRelu", value),
    "relu": lambda graph, value: graph.node("Relu", value),
    "relu6": lambda graph, value: graph.node(
        "Clip", value, _scalar(graph, 0.0), _scalar(graph, 6.0)
    ),
    "sigmoid": lambda graph, value: graph.node("Sigmoid", value),
    "silu": lambda graph, value: graph.node("Mul", value, graph.node("Sigmoid", value)),
    "tanh": lambda graph, value: graph.node("Tanh", value),
}


def operator_graph(op: Operator, batch: int) -> tuple[bytes, dict[str, tuple[int, ...]]]:
    """An ONNX model of one operator with what follows it.

    Args:
        op: the operator.
        batch: images.

    Returns:
        The serialised model and the shape of each input.

    Raises:
        UnsupportedOperatorError: the operator cannot be run as described.
    """
    check_supported(op)
    shapes = input_shapes(op, batch)
    inputs = [(f"{INPUT_NAME}{i or ''}", shape) for i, shape in enumerate(shapes)]
    graph = GraphBuilder(inputs)
    value = _KINDS[op.kind](graph, op)
    if op.batch_norm:
        value = _batch_norm(graph, op, value)
    if op.activation is not None:
        _ACTIVATIONS[op.activation](graph, value)
    return graph.model(), dict(inputs)
