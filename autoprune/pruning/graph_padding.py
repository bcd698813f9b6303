"""What a convolution pads by: numbers, or ``"same"``, which keeps the size at stride 1."""

from __future__ import annotations

from typing import Any

from torch import fx

from autoprune.pruning.graph_flows import Reading, name_of
from autoprune.pruning.graph_nodes import argument, pair, shape_of
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator

Padding = tuple[int, ...]


def padding_of(node: fx.Node, kernel: tuple[int, ...]) -> tuple[Padding, Padding]:
    """What is padded on both sides of each axis, and what is padded at its end besides.

    The latter is 0, but 1 where ``"same"`` has an odd number to share out, as it has for even
    kernels.

    Args:
        node: a convolution.
        kernel: its size along each axis.
    """
    given: Any = argument(node, 4, 0)
    none = (0,) * len(kernel)
    if given == "valid":
        return none, none
    if given == "same":
        dilation = pair(argument(node, 5, 1))[-len(kernel) :]
        total = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        return tuple(t // 2 for t in total), tuple(t % 2 for t in total)
    return pair(given)[-len(kernel) :], none


def padded_at_the_end(
    reading: Reading, node: fx.Node, source: fx.Node, more: Padding
) -> tuple[int, int]:
    """Height and width of what a convolution reads; where ``more`` is padded, a copy is priced.

    An operator of the tables has the same padding on both sides, so the rest is a step before it.
    """
    height, width = (1, 1, *shape_of(source)[2:])[-2:]
    if not any(more):
        return height, width
    down, right = (0, *more)[-2:]
    height, width = height + down, width + right
    channels, count = reading.flows[source].channels, shape_of(source)[1]
    copy = Operator("concat", count, count, height, width)
    reading.emit(Term(copy, channels, channels, name_of(node)), 1)
    return height, width
