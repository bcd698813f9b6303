"""Reading the nodes of an exported graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import fx


def operator_name(node: fx.Node) -> str:
    """``relu`` for aten.relu.default and aten.relu_.default alike."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return getattr(node.target, "__name__", str(node.target))
    return str(schema.name).rpartition("::")[2].rstrip("_")


def layer_of(node: fx.Node) -> str:
    """Name of the innermost module the node belongs to; empty for the network itself."""
    stack = node.meta.get("nn_module_stack") or {}
    return list(stack.values())[-1][0] if stack else ""


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Shape of the node's tensor."""
    return tuple(node.meta["val"].shape)


def argument(node: fx.Node, position: int, default: Any) -> Any:
    """A positional argument, which the graph leaves out where it is the default."""
    return node.args[position] if len(node.args) > position else default


def pair(value: Any) -> tuple[int, int]:
    """(vertical, horizontal) of what may be one number for both."""
    if isinstance(value, Sequence):
        return int(value[0]), int(value[-1])
    return int(value), int(value)


def pixels(shape: Sequence[int], axis: int) -> tuple[int, int]:
    """Height and width: what is neither the batch nor the channels."""
    rest = [size for dim, size in enumerate(shape) if dim not in (0, axis)]
    if len(rest) == 2:
        return rest[0], rest[1]
    return math.prod(rest), 1


def moved_axis(node: fx.Node, axis: int, rank: int) -> int:
    """Where a view puts the axis of the channels."""
    if operator_name(node) == "permute":
        order: Any = node.args[1]
        return [dim % rank for dim in order].index(axis)
    if operator_name(node) == "transpose":
        first, second = (int(dim) % rank for dim in node.args[1:3])  # type: ignore[arg-type]
        return {first: second, second: first}.get(axis, axis)
    return axis
