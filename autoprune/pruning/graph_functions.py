"""Pricing functions of single numbers, which act element by element."""

from __future__ import annotations

from typing import Any

from torch import fx

from autoprune.errors import ModelError
from autoprune.pruning.graph_flows import Flow, Reading, Rule, name_of
from autoprune.pruning.graph_nodes import argument, operator_name
from latency_tables.operators import ACTIVATIONS as PRICED
from latency_tables.operators import CONVOLUTIONS

_OF_OTHER_RULES = {"hardtanh", "pow", "logsigmoid"}
ACTIVATIONS = {name: name for name in PRICED if name not in _OF_OTHER_RULES} | {
    "log_sigmoid": "logsigmoid",
    "prelu": "leaky_relu",
}
"""Operator -> activation of the latency table."""
_TAKES_ACTIVATION = CONVOLUTIONS | {"linear", "batch_norm", "add", "multiply"}
_MULTIPLIED = (2, 3)
"""Powers that runtimes compute by multiplications; others take a logarithm and an exponential."""


def activation(reading: Reading, node: fx.Node, name: str) -> Flow:
    """Part of the operator before it, where nothing else reads that one's output."""
    fused = reading.fused(node, _TAKES_ACTIVATION, activation=name)
    return fused or reading.alike(node, "activation", activation=name)


def _clamp(reading: Reading, node: fx.Node) -> Flow:
    """Between two constants, or on one side of a constant."""
    name = operator_name(node)
    default = (-1.0, 1.0) if name == "hardtanh" else (None, None)
    bounds: list[Any] = [argument(node, at, default[at - 1]) for at in (1, 2)]
    bounds = [
        node.kwargs.get(key, bound) for key, bound in zip(("min", "max"), bounds, strict=True)
    ]
    if any(bound in reading.flows for bound in bounds if isinstance(bound, fx.Node)):
        raise ModelError(
            f"layer {name_of(node)!r} computes {name!r} between tensors that depend on the input; "
            "write it with torch.maximum and torch.minimum, which have a price"
        )
    both = name in ("clamp", "hardtanh") and bounds == [0, 6]
    return activation(reading, node, "relu6" if both else "hardtanh")


def _clamp_min(reading: Reading, node: fx.Node) -> Flow:
    source, flow = reading.source(node)
    if operator_name(source) == "linalg_vector_norm":
        return flow  # a step of the division by it, which is priced there
    return _clamp(reading, node)


def _power(reading: Reading, node: fx.Node) -> Flow:
    """By a number, or by a constant of the network."""
    base, exponent = node.args[:2]
    computed = [each for each in (base, exponent) if isinstance(each, fx.Node)]
    if all(each in reading.flows for each in computed) and len(computed) > 1:
        raise ModelError(
            f"layer {name_of(node)!r} raises a tensor to powers that depend on the input; only "
            "powers by a constant have a price"
        )
    return activation(reading, node, "square" if exponent in _MULTIPLIED else "pow")


RULES: dict[str, Rule] = {
    "clamp": _clamp,
    "clamp_max": _clamp,
    "clamp_min": _clamp_min,
    "hardtanh": _clamp,
    "pow": _power,
}
