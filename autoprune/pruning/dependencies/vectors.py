"""Tensors computed from vectors with one element a channel, as in a frozen batch norm."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import fx

from autoprune.pruning.dependencies.flows import Reading, shapes
from autoprune.pruning.graph_nodes import operator_name

_KEEPS_ORDER = frozenset(
    {"alias", "clone", "contiguous", "detach", "flatten", "reshape", "squeeze"}
    | {"to", "_to_copy", "unsqueeze", "view"}
)


def vectors_behind(
    reading: Reading, node: fx.Node, size: int, is_pointwise: Callable[[fx.Node], bool]
) -> list[str] | None:
    """Parameters and buffers that a vector is computed from, each element from its own.

    Args:
        node: a tensor that the network's input does not reach, of ``size`` elements.
        is_pointwise: whether an operator computes element by element.

    Returns:
        Names of vectors of ``size`` elements; None where something else takes part.
    """
    name, shape = reading.tensor(node), shapes(node)
    if shape is None or math.prod(shape) not in (1, size):
        return None
    if math.prod(shape) == 1 and size > 1:
        return []  # one for all channels
    if name is not None:
        return [name] if len(shape) == 1 else None
    if node.op != "call_function":
        return None
    if not (is_pointwise(node) or operator_name(node) in _KEEPS_ORDER):
        return None
    found = [vectors_behind(reading, each, size, is_pointwise) for each in node.all_input_nodes]
    if not found or any(each is None for each in found):
        return None
    return [name for each in found if each is not None for name in each]


def first_tensor_behind(reading: Reading, node: fx.Node) -> str | None:
    """A parameter or buffer that a tensor is computed from; None where the images take part."""
    seen, left, found = {node}, [node], None
    while left:
        each = left.pop(0)
        name = reading.tensor(each)
        if each.op == "placeholder" and name is None and each.name not in reading.values:
            return None
        found = found or name
        new = [source for source in each.all_input_nodes if source not in seen]
        seen.update(new)
        left += new
    return found
