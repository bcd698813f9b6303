"""Which axis counts the channels where a view makes several axes of the one that did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import fx

from autoprune.pruning.graph_nodes import argument, is_pointwise, operator_name, shape_of

_READ_IMAGES = frozenset(
    {"batch_norm", "group_norm", "instance_norm", "pixel_shuffle", "pixel_unshuffle", "prelu"}
)
_READ_IMAGES_BY_NAME = ("adaptive_", "avg_pool", "conv", "lp_pool", "max_pool", "upsample_")
_PASS_ON = frozenset(
    {"_to_copy", "alias", "cat", "clone", "constant_pad_nd", "contiguous", "dropout"}
    | {"feature_dropout", "pad", "to"}
)
"""Besides what works element by element: axes stay where they are."""


def axis_of_channels(node: fx.Node, axes: Sequence[int]) -> int:
    """Of the axes that a view made of one, that whose size changes when channels are pruned.

    It is the axis that a layer for images reads its channels from, where one comes next; else the
    one whose size the view leaves open by -1; else the innermost.

    Args:
        node: the view.
        axes: of its result, ascending.
    """
    if 1 in axes and read_as_images(node):
        return 1
    left_open = open_axis(node)
    return left_open if left_open is not None and left_open in axes else axes[-1]


def read_as_images(node: fx.Node) -> bool:
    """Whether a layer that takes the first axis after the batch for channels reads a tensor."""
    seen, left = {node}, [node]
    while left:
        for user in left.pop().users:
            if _reads_images(user):
                return True
            if user not in seen and _passes_on(user):
                seen.add(user)
                left.append(user)
    return False


def open_axis(node: fx.Node) -> int | None:
    """The axis that a view has -1 for; None where it tells all sizes."""
    position, first = 1, 0
    if operator_name(node) == "unflatten":
        position, first = 2, int(argument(node, 1, 0)) % len(shape_of(node.all_input_nodes[0]))
    sizes: Any = argument(node, position, ())
    if not isinstance(sizes, Sequence) or -1 not in sizes:
        return None
    return first + list(sizes).index(-1)


def _reads_images(node: fx.Node) -> bool:
    name = operator_name(node)
    return name in _READ_IMAGES or name.startswith(_READ_IMAGES_BY_NAME)


def _passes_on(node: fx.Node) -> bool:
    return node.op == "call_function" and (is_pointwise(node) or operator_name(node) in _PASS_ON)
