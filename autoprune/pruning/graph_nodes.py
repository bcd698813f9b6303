"""Reading the nodes of an exported graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

PRODUCTS = frozenset({"matmul", "bmm"})
_ACTIVATIONS = frozenset(
    {"celu", "elu", "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu"}
    | {"log_sigmoid", "logit", "mish", "relu", "relu6", "rrelu", "selu", "sigmoid", "silu"}
    | {"softplus", "softshrink", "tanh", "tanhshrink", "threshold"}
)
"""Element by element; torch marks only some of them so."""


def operator_name(node: fx.Node) -> str:
    """``relu`` for aten.relu.default and aten.relu_.default alike."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return getattr(node.target, "__name__", str(node.target))
    return str(schema.name).rpartition("::")[2].rstrip("_")


def is_pointwise(node: fx.Node) -> bool:
    """Whether every element of the result depends on the elements at its place alone."""
    tagged = torch.Tag.pointwise in getattr(node.target, "tags", ())
    return tagged or operator_name(node) in _ACTIVATIONS


def layer_of(node: fx.Node) -> str:
    """Name of the innermost module the node belongs to; empty for the network itself."""
    stack = node.meta.get("nn_module_stack") or {}
    return list(stack.values())[-1][0] if stack else ""


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Shape of the node's tensor; of the first, where it gives values with their places."""
    value = node.meta["val"]
    return tuple((value[0] if isinstance(value, tuple) else value).shape)


def argument(node: fx.Node, position: int, default: Any) -> Any:
    """A positional argument, which the graph leaves out where it is the default."""
    return node.args[position] if len(node.args) > position else default


def pair(value: Any) -> tuple[int, int]:
    """(vertical, horizontal) of what may be one number for both."""
    if isinstance(value, Sequence):
        return int(value[0]), int(value[-1])
    return int(value), int(value)


def scales_a_product(node: fx.Node) -> bool:
    """Whether it multiplies a tensor by a number for a product of matrices and nothing else."""
    if operator_name(node) not in ("mul", "div") or isinstance(argument(node, 1, None), fx.Node):
        return False
    users = list(node.users)
    return len(users) == 1 and operator_name(users[0]) in PRODUCTS and users[0].args[0] is node


def pixels(shape: Sequence[int], axis: int, batch: int) -> tuple[int, int]:
    """Height and width for one image: what is neither the batch nor the channels.

    Where the first axis is not the batch (tokens first, windows of an image), they are positions.
    """
    rest = [size for dim, size in enumerate(shape) if dim not in (0, axis)]
    if len(rest) == 2 and shape[0] == batch:
        return rest[0], rest[1]
    return max(1, math.prod(shape) // (shape[axis] * batch)), 1


def reduced_axes(node: fx.Node, rank: int) -> set[int]:
    """The axes that a reduction takes; all where none are named."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    position = next((n for n, each in enumerate(schema) if each.name == "dim"), None)
    given = None if position is None else argument(node, position, None)
    named: Any = node.kwargs.get("dim", given)
    dims = [named] if isinstance(named, int) else (named or range(rank))
    return {int(dim) % rank for dim in dims}
