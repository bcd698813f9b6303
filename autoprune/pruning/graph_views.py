"""Where the channels go when a tensor is looked at in another way, or copied."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import fx

from autoprune.errors import ModelError
from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Reading, is_tensor, name_of
from autoprune.pruning.graph_nodes import argument, operator_name, shape_of
from autoprune.pruning.graph_splits import axis_of_channels

Shape = tuple[int, ...]

SAME_AXES = frozenset(
    {
        "alias",
        "chunk",
        "clone",
        "contiguous",
        "detach",
        "dropout",
        "feature_dropout",
        "getitem",
        "slice",
        "split",
        "split_with_sizes",
        "to",
    }
)
RESHAPES = frozenset({"flatten", "reshape", "squeeze", "unflatten", "unsqueeze", "view"})
MOVES = frozenset({"expand", "permute", "select", "swapaxes", "transpose", "unbind"})
VIEWS = SAME_AXES | RESHAPES | MOVES


def view(reading: Reading, node: fx.Node) -> Flow:
    """The same channels, perhaps counted by another axis, or several times over.

    Raises:
        ModelError: prunable channels are split or cut.
    """
    source, flow = reading.source(node)
    if not is_tensor(node):
        # Parts of a tensor: what takes one of them looks at the tensor that was cut.
        return flow
    if not is_tensor(source):
        # Values with their places are no parts: they have the channels of what made them.
        return _part(reading, node, source) if operator_name(source) in VIEWS else flow
    before, after = shape_of(source), shape_of(node)
    if before == after and operator_name(node) in SAME_AXES | RESHAPES:
        return flow
    apart = _taken_apart(node, flow, before, after)
    if apart is not None:
        return apart
    axis = moved(node, flow.axis, before, after)
    if axis is not None:
        kept, count = before[flow.axis], after[axis]
        if count == kept:
            return Flow(flow.channels, axis)
        if operator_name(node) in RESHAPES and count % kept == 0:
            return Flow(flow.channels.times(count // kept), axis)
        if operator_name(node) in RESHAPES and (split := _shared(flow.channels, kept, count)):
            return Flow(split, axis)
    return _recounted(reading, node, source, axis)


def _taken_apart(node: fx.Node, flow: Flow, before: Shape, after: Shape) -> Flow | None:
    """One axis as several: equal shares of the channels lie along one of them.

    None where this is no such view, or the channels cannot be shared out so.
    """
    outside, inside = math.prod(before[: flow.axis]), math.prod(before[flow.axis + 1 :])
    axes = [
        place
        for place, size in enumerate(after)
        if size > 1
        and math.prod(after[:place]) % outside == 0
        and math.prod(after[place + 1 :]) % inside == 0
    ]
    if operator_name(node) not in RESHAPES or len(axes) < 2:
        return None
    if math.prod(after[place] for place in axes) != before[flow.axis]:
        return None
    axis = axis_of_channels(node, axes)
    shared = _shared(flow.channels, before[flow.axis], after[axis])
    return Flow(shared, axis) if shared is not None else None


def _part(reading: Reading, node: fx.Node, source: fx.Node) -> Flow:
    """One of the tensors that a chunk, a split or an unbind made."""
    whole, flow = reading.source(source)
    before, after = shape_of(whole), shape_of(node)
    axis = part_axis(reading, source, flow.axis)
    if axis is not None and after[axis] == before[flow.axis]:
        return Flow(flow.channels, axis)
    if axis is not None and (split := _shared(flow.channels, before[flow.axis], after[axis])):
        return Flow(split, axis)
    return _recounted(reading, node, source, axis)


def _shared(channels: Channels, before: int, after: int) -> Channels | None:
    """Channels cut into equal parts, as a channel shuffle and a chunk cut them."""
    return channels.over(before // after) if after and before % after == 0 else None


def part_axis(reading: Reading, source: fx.Node, axis: int) -> int | None:
    """Where an axis is in the parts that a chunk, a split or an unbind made; None if it is gone."""
    if operator_name(source) != "unbind":
        return axis
    whole, _ = reading.source(source)
    return _without(axis, int(argument(source, 1, 0)) % len(shape_of(whole)))


def _recounted(reading: Reading, node: fx.Node, source: fx.Node, axis: int | None) -> Flow:
    """Where the channels were cut: fixed ones are counted anew, prunable ones are refused."""
    if reading.flows[source].channels.multiples:
        raise ModelError(
            f"layer {name_of(node)!r} reshapes prunable channels by {operator_name(node)!r} from "
            f"{shape_of(node.all_input_nodes[0]) if is_tensor(source) else source.name} to "
            f"{shape_of(node)}, which no rule follows; {_instead(node, axis)}"
            f"{reading.exclusion(source)}"
        )
    after = shape_of(node)
    if not after:
        return Flow(Channels(1), 0)
    place = min(1, len(after) - 1) if axis is None else axis
    return Flow(Channels(after[place]), place)


def _instead(node: fx.Node, axis: int | None) -> str:
    """Where a slice is one of equal parts: how to cut them so that they can be pruned."""
    if operator_name(node) != "slice" or axis is None:
        return ""
    before, after = shape_of(node.all_input_nodes[0])[axis], shape_of(node)[axis]
    if not after or before % after:
        return ""
    return f"equal parts as chunk({before // after}, {axis}) makes them can be pruned; or "


def moved(node: fx.Node, axis: int, before: Shape, after: Shape) -> int | None:
    """The axis that counts the channels afterwards; None where there is none."""
    name = operator_name(node)
    if name in RESHAPES:
        return _reshaped(axis, before, after)
    mover = _MOVERS.get(name)
    return axis if mover is None else mover(node, axis, len(before))


def _reshaped(axis: int, before: Shape, after: Shape) -> int | None:
    """The axis that holds the channels, alone or with others merged into them.

    Where the channels are split, it is the innermost part.
    """
    outside, inside = math.prod(before[:axis]), math.prod(before[axis + 1 :])
    split = None
    for place, size in enumerate(after):
        outer, inner = math.prod(after[:place]), math.prod(after[place + 1 :])
        holds = outer <= outside and inner <= inside and size >= before[axis]
        if holds and outside % outer == 0 and inside % inner == 0 and size > 1:
            return place
        if inner == inside and size > 1:
            split = place
    return split


def _permuted(node: fx.Node, axis: int, rank: int) -> int:
    order: Any = node.args[1]
    return [dim % rank for dim in order].index(axis)


def _transposed(node: fx.Node, axis: int, rank: int) -> int:
    first, second = (int(dim) % rank for dim in node.args[1:3])  # type: ignore[arg-type]
    return {first: second, second: first}.get(axis, axis)


def _selected(node: fx.Node, axis: int, rank: int) -> int | None:
    return _without(axis, int(argument(node, 1, 0)) % rank)


def _expanded(node: fx.Node, axis: int, rank: int) -> int:
    return axis + len(shape_of(node)) - rank


def _without(axis: int, dim: int) -> int | None:
    """Where an axis is after another one was taken away; None if it was that one."""
    if axis == dim:
        return None
    return axis - (dim < axis)


_MOVERS: dict[str, Callable[[fx.Node, int, int], int | None]] = {
    "expand": _expanded,
    "expand_as": _expanded,
    "permute": _permuted,
    "select": _selected,
    "swapaxes": _transposed,
    "transpose": _transposed,
}
