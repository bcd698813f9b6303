"""Single-operator ONNX graphs, written as the exporter writes the same operator in a network."""

from __future__ import annotations

from collections.abc import Callable

from latency_tables.operators import Operator
from latency_tables.runtimes.onnx_builder import GraphBuilder
from latency_tables.runtimes.onnx_export import INPUT_NAME
from latency_tables.runtimes.onnx_operators import KINDS, batch_norm
from latency_tables.runtimes.semantics import check_supported, input_shapes


def _gelu(graph: GraphBuilder, value: str) -> str:
    # x * (1 + erf(x / sqrt 2)) / 2, in the order of the exporter, which the runtime recognises.
    inner = graph.node("Erf", graph.node("Div", value, graph.scalar(2**0.5)))
    product = graph.node("Mul", value, graph.node("Add", inner, graph.scalar(1.0)))
    return graph.node("Mul", product, graph.scalar(0.5))


_ACTIVATIONS: dict[str, Callable[[GraphBuilder, str], str]] = {
    "elu": lambda graph, value: graph.node("Elu", value),
    "gelu": _gelu,
    "hardsigmoid": lambda graph, value: graph.node("HardSigmoid", value, alpha=1 / 6),
    "hardswish": lambda graph, value: graph.node("HardSwish", value),
    "leaky_relu": lambda graph, value: graph.node("LeakyRelu", value),
    "relu": lambda graph, value: graph.node("Relu", value),
    "relu6": lambda graph, value: graph.node("Clip", value, graph.scalar(0.0), graph.scalar(6.0)),
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
    value = KINDS[op.kind](graph, op)
    if op.batch_norm:
        value = batch_norm(graph, op, value)
    if op.activation is not None:
        _ACTIVATIONS[op.activation](graph, value)
    return graph.model(), dict(inputs)
