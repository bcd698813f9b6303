"""Convolutions as they run between others, in ONNX Runtime's blocked layout.

Where it helps, ONNX Runtime keeps tensors in blocks of channels (onnxruntime/core/optimizer/
nchwc_transformer.cc) and converts only where a neighbour works on plain ones. A convolution alone
in a graph would always pay for both conversions, which a network of aligned widths pays for
hardly anywhere. So those at the edges are taken off wherever a neighbouring convolution of as many
channels would be blocked too: over random ResNet-20s, that took about a third off the
calibration's held-out error.
"""

from __future__ import annotations

from typing import Any

from latency_tables.operators import Operator

ALIGNMENT = 4
"""A convolution reads blocks only if its input channels are a multiple of this (same source)."""


def without_edge_conversions(
    optimised: Any, op: Operator, shape: tuple[int, ...], block: int
) -> tuple[Any, str, tuple[int, ...]]:
    """Take the conversions off the edges of an optimised single-convolution model.

    Args:
        optimised: an onnx.ModelProto as ONNX Runtime saved it; changed in place.
        op: the convolution.
        shape: of its input, [batch, in_channels, height, width].
        block: channels in a block.

    Returns:
        The model, and the name and shape of its input.
    """
    graph = optimised.graph
    first, last = graph.node[0], graph.node[-1]
    name = graph.input[0].name
    # A reader of fewer channels than a block takes plain ones.
    read_blocked = op.out_channels >= block and op.out_channels % ALIGNMENT == 0
    if last.op_type == "ReorderOutput" and read_blocked:
        graph.output[0].name = last.input[0]
        graph.output[0].type.tensor_type.ClearField("shape")
        graph.node.remove(last)
    if first.op_type == "ReorderInput":
        channels = -(-op.in_channels // block) * block
        name, shape = first.output[0], (shape[0], channels, *shape[2:])
        graph.input[0].name = name
        graph.input[0].type.tensor_type.shape.dim[1].dim_value = shape[1]
        graph.node.remove(first)
    del graph.value_info[:]
    return optimised, name, shape


def block_size(optimised: Any) -> int:
    """Channels in a block, read off the padded filter of an optimised 1->1 convolution."""
    filters = next(each for each in optimised.graph.initializer if len(each.dims) == 4)
    return int(filters.dims[0])
