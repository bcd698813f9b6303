"""Single-operator ONNX graphs, written as the exporter writes the same operator in a network."""

from __future__ import annotations

from collections.abc import Callable

from latency_tables.operators import Operator
from latency_tables.runtimes.onnx_builder import GraphBuilder
from latency_tables.runtimes.onnx_export import INPUT_NAME
from latency_tables.runtimes.onnx_operators import KINDS, batch_norm
from latency_tables.runtimes.semantics import POWER, check_supported, input_shapes


def _gelu(graph: GraphBuilder, value: str) -> str:
    # x * (1 + erf(x / sqrt 2)) / 2, in the order of the exporter, which the runtime recognises.
    inner = graph.node("Erf", graph.node("Div", value, graph.scalar(2**0.5)))
    product = graph.node("Mul", value, graph.node("Add", inner, graph.scalar(1.0)))
    return graph.node("Mul", product, graph.scalar(0.5))


def _mish(graph: GraphBuilder, value: str) -> str:
    return graph.node("Mul", value, graph.node("Tanh", graph.node("Softplus", value)))


def _rsqrt(graph: GraphBuilder, value: str) -> str:
    return graph.node("Div", graph.scalar(1.0), graph.node("Sqrt", value))


def _clip(lower: float, upper: float) -> Callable[[GraphBuilder, str], str]:
    return lambda graph, value: graph.node("Clip", value, graph.scalar(lower), graph.scalar(upper))


def _single(kind: str, **attributes: float) -> Callable[[GraphBuilder, str], str]:
    return lambda graph, value: graph.node(kind, value, **attributes)


_ACTIVATIONS: dict[str, Callable[[GraphBuilder, str], str]] = {
    "abs": _single("Abs"),
    "celu": _single("Celu"),
    "cos": _single("Cos"),
    "elu": _single("Elu"),
    "exp": _single("Exp"),
    "gelu": _gelu,
    "hardsigmoid": _single("HardSigmoid", alpha=1 / 6),
    "hardswish": _single("HardSwish"),
    "hardtanh": _clip(-1.0, 1.0),
    "leaky_relu": _single("LeakyRelu"),
    "log": _single("Log"),
    "logsigmoid": lambda graph, value: graph.node("Log", graph.node("Sigmoid", value)),
    "mish": _mish,
    "pow": lambda graph, value: graph.node("Pow", value, graph.scalar(POWER)),
    "reciprocal": _single("Reciprocal"),
    "relu": _single("Relu"),
    "relu6": _clip(0.0, 6.0),
    "rsqrt": _rsqrt,
    "selu": _single("Selu"),
    "sigmoid": _single("Sigmoid"),
    "silu": lambda graph, value: graph.node("Mul", value, graph.node("Sigmoid", value)),
    "sin": _single("Sin"),
    "softplus": _single("Softplus"),
    "sqrt": _single("Sqrt"),
    "square": lambda graph, value: graph.node("Mul", value, value),
    "tanh": _single("Tanh"),
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
