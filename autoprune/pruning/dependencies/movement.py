"""Operators that only move elements: they are run on the labels themselves."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.fx.node import map_arg
from torch.utils._pytree import tree_map_only

from autoprune.pruning.dependencies.flows import Flow, Reading
from autoprune.pruning.dependencies.labels import FIXED, FREE
from autoprune.pruning.graph_nodes import argument, operator_name, shape_of

SAME = frozenset(
    {"alias", "clone", "contiguous", "detach", "detach_copy", "dropout", "feature_dropout", "lift"}
    | {"alpha_dropout", "lift_fresh_copy", "to", "_to_copy", "type_as"}
)
"""Every element stays where it is."""
PARTS = frozenset({"chunk", "split", "split_with_sizes", "tensor_split", "unbind"})
PADS = frozenset({"constant_pad_nd", "pad"})
MOVES = (
    frozenset({"cat", "channel_shuffle", "concat", "expand", "expand_as", "flatten", "flip"})
    | frozenset({"index", "index_select", "movedim", "narrow", "permute"})
    | frozenset({"repeat", "reshape", "roll", "select", "slice", "squeeze"})
    | frozenset({"swapaxes", "t", "transpose", "unflatten", "unfold", "unsqueeze"})
    | frozenset({"view", "view_as", "numpy_T", "mT"})
)


def same(reading: Reading, node: fx.Node) -> Flow | None:
    """The flow of the first input."""
    return reading.flow(argument(node, 0, None))


def moved(reading: Reading, node: fx.Node) -> Flow | None:
    """Labels where the elements went."""
    if isinstance(argument(node, 1, None), torch.dtype):
        reading.freeze(node, "its numbers are taken for those of another type")
        return None
    return reading.found(_run(reading, node), node)


def padded(reading: Reading, node: fx.Node) -> Flow | None:
    """What is put around the pixels belongs to their channel, whatever it is.

    Along the axis that counts the channels, constants stay; repeated channels leave all whole.
    """
    source = argument(node, 0, None)
    flow, padding = reading.flow(source), list(argument(node, 1, None))
    repeats = operator_name(node) == "pad" and argument(node, 2, "constant") != "constant"
    last = len(shape_of(source)) - 1
    if repeats and flow is not None and any(padding[2 * (last - flow.axis) :][:2]):
        reading.freeze(node, "it pads its channels by others of them")
        return None
    return reading.found(torch.constant_pad_nd(_labels(reading, source), padding, FREE), node)


def parts(reading: Reading, node: fx.Node) -> list[Flow | None]:
    """Each part's labels. Parts of one axis are counted from its length, so they stay equal."""
    flow = reading.flow(argument(node, 0, None))
    pieces = _run(reading, node)
    if flow is None:
        return [None for _ in pieces]
    if _cut_axis(node) == flow.axis:
        if len({piece.shape for piece in pieces}) > 1:
            reading.freeze(node, "its channels are cut into unequal parts")
            return [None for _ in pieces]
        for piece in pieces[1:]:
            reading.labels.tie(pieces[0], piece)
    return [reading.found(piece, node) for piece in pieces]


def _cut_axis(node: fx.Node) -> int:
    position = 1 if operator_name(node) == "unbind" else 2
    dim: Any = node.kwargs.get("dim", argument(node, position, 0))
    return int(dim) % len(shape_of(argument(node, 0, None)))


def _run(reading: Reading, node: fx.Node) -> Any:
    """The node's operator on labels in place of tensors."""

    def value(source: fx.Node) -> Any:
        kept = reading.values.get(source.name)
        if kept is not None and not kept.is_floating_point():
            return kept  # an index
        return _labels(reading, source)

    args: Any
    kwargs: Any
    args, kwargs = map_arg((node.args, dict(node.kwargs)), value)
    if operator_name(node) == "view":  # labels are spread, so their memory lies otherwise
        return args[0].reshape(args[1])
    return node.target(*args, **kwargs)  # type: ignore[operator]


def _labels(reading: Reading, source: Any) -> Any:
    found = reading.flows.get(source)
    shape = tree_map_only(torch.Tensor, lambda t: tuple(t.shape), source.meta["val"])
    if isinstance(found, list):
        return [_over(flow, each) for flow, each in zip(found, shape, strict=True)]
    return _over(found, shape)


def _over(flow: Flow | None, shape: tuple[int, ...]) -> torch.Tensor:
    if flow is None:
        return torch.full((1,) * len(shape), FIXED).expand(shape)
    return flow.over(shape)
