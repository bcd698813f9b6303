"""Operators that make one channel of several, or several of one, or put them side by side."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from autoprune.pruning.dependencies.flows import Flow, Reading
from autoprune.pruning.graph_nodes import argument, shape_of


def shuffled(reading: Reading, node: fx.Node) -> Flow | None:
    """pixel_shuffle: (input, factor); neighbouring channels become the pixels of one."""
    flow = _over_images(reading, node)
    if flow is None:
        return None
    parts = flow.labels.reshape(-1, int(argument(node, 1, 1)) ** 2)
    reading.labels.tie(parts, parts[:, :1])
    return Flow(flow.axis, parts[:, 0])


def unshuffled(reading: Reading, node: fx.Node) -> Flow | None:
    """pixel_unshuffle: (input, factor); the pixels of a channel become neighbouring channels."""
    flow = _over_images(reading, node)
    if flow is None:
        return None
    return Flow(flow.axis, flow.labels.repeat_interleave(int(argument(node, 1, 1)) ** 2))


def gated(reading: Reading, node: fx.Node) -> Flow | None:
    """glu: (input, axis); the first half of an axis times the sigmoid of the second."""
    flow = reading.flow(argument(node, 0, None))
    if flow is None or int(argument(node, 1, -1)) % len(shape_of(node)) != flow.axis:
        return flow
    first, second = flow.labels.chunk(2)
    reading.labels.tie(first, second)
    return Flow(flow.axis, first)


def stacked(reading: Reading, node: fx.Node) -> Flow | None:
    """stack: (inputs, axis); what lies side by side along the new axis is cut alike."""
    tensors: Any = argument(node, 0, ())
    found = [reading.flow(tensor) for tensor in tensors]
    flow = next((each for each in found if each is not None), None)
    if flow is None:
        return None
    if any(each is not None and each.axis != flow.axis for each in found):
        reading.freeze(node, "channels of different axes are combined")
        return None
    for other in found:
        fixed = torch.zeros_like(flow.labels)
        reading.labels.tie(flow.labels, fixed if other is None else other.labels)
    place = int(argument(node, 1, 0)) % len(shape_of(node))
    return Flow(flow.axis + (place <= flow.axis), flow.labels)


def _over_images(reading: Reading, node: fx.Node) -> Flow | None:
    """The flow of channels that lie before two axes of pixels."""
    flow = reading.flow(argument(node, 0, None))
    if flow is not None and flow.axis != len(shape_of(node)) - 3:
        reading.freeze(node, "pixels are moved across its channels")
        return None
    return flow


RULES = {
    "glu": gated,
    "pixel_shuffle": shuffled,
    "pixel_unshuffle": unshuffled,
    "stack": stacked,
}
