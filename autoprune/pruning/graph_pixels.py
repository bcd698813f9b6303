"""Pricing what works pixel by pixel, resizes, or copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import fx

from autoprune.pruning.channels import Channels
from autoprune.pruning.graph_flows import Flow, Heads, Reading, Rule, name_of
from autoprune.pruning.graph_nodes import (
    argument,
    operator_name,
    scales_a_product,
    shape_of,
)
from autoprune.pruning.graph_normalising import normalised
from autoprune.pruning.graph_rows import beside, in_a_row
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator, OperatorKind

_SMOOTH = {
    "upsample_bicubic2d": "bicubic",
    "upsample_bilinear2d": "bilinear",
    "upsample_linear1d": "bilinear",
}
_MULTIPLIES = frozenset({"mul", "div", "neg"})


def elementwise(reading: Reading, node: fx.Node) -> Flow:
    """A step over two tensors, or over one and constants."""
    if scales_a_product(node):
        # The product that reads it is priced with it: some runtimes do both in one step.
        return reading.source(node)[1]
    whole = normalised(node)
    if whole is not None:
        return replace(reading.flows[whole], term=None)
    kind: OperatorKind = "multiply" if operator_name(node) in _MULTIPLIES else "add"
    flow = reading.alike(node, kind, variant=_constant(reading, node, None))
    term = reading.terms[-1]
    if flow.heads is not None and term.repeats is not None:
        single = replace(term.repeats, single=_constant(reading, node, flow.heads))
        reading.terms[-1] = replace(term, repeats=single)
    return flow


def _constant(reading: Reading, node: fx.Node, heads: Heads | None) -> str | None:
    """What the second operand is; None for a tensor, computed or a constant as large as one.

    With ``heads``: what it is beside a single one of them.
    """
    operands = [node.args[0], argument(node, 1, 1)]
    fixed = [each for each in operands if not _is_computed(reading, each)]
    if not fixed:
        return None
    shape = shape_of(fixed[0]) if isinstance(fixed[0], fx.Node) else ()
    result = shape_of(node)
    count, size = math.prod(shape), reading.per_image(math.prod(result))
    if heads is not None:
        aligned = (1,) * (len(result) - len(shape)) + shape
        count, size = count // aligned[heads.axis], size // result[heads.axis]
    if count == 1:
        return "scalar"
    return "per_channel" if count < size else None


def _is_computed(reading: Reading, operand: Any) -> bool:
    return isinstance(operand, fx.Node) and operand in reading.flows


def _concat(reading: Reading, node: fx.Node) -> Flow:
    sources: Any = node.args[0]
    flows = [reading.flows.get(each) for each in sources]
    axis = next(flow.axis for flow in flows if flow is not None)
    shape = shape_of(node)
    channels = next(flow.channels for flow in flows if flow is not None)
    if int(argument(node, 1, 0)) % len(shape) == axis:
        channels = Channels(0)
        for flow, source in zip(flows, sources, strict=True):
            fixed = Channels(shape_of(source)[axis])
            channels = channels.plus(fixed if flow is None else flow.channels)
    return copied(reading, node, Flow(channels, axis))


def _stack(reading: Reading, node: fx.Node) -> Flow:
    """Tensors side by side along an axis of their own, with channels of one count."""
    flow = reading.source(node)[1]
    place = int(argument(node, 1, 0)) % len(shape_of(node))
    return copied(reading, node, Flow(flow.channels, flow.axis + (place <= flow.axis)))


def copied(reading: Reading, node: fx.Node, flow: Flow) -> Flow:
    """A copy of what the node returns, priced as a concatenation."""
    count = shape_of(node)[flow.axis]
    height, width = reading.pixels(node, flow.axis)
    operator = Operator("concat", count, count, height, width)
    return reading.emit(Term(operator, flow.channels, flow.channels, name_of(node)), flow.axis)


def _roll(reading: Reading, node: fx.Node) -> Flow:
    # A runtime cuts the tensor in two and joins them the other way round, axis after axis.
    _, flow = reading.source(node)
    shifts: Any = node.args[1]
    for shift in shifts if isinstance(shifts, list | tuple) else [shifts]:
        if shift:
            copied(reading, node, flow)
    return Flow(flow.channels, flow.axis)


def _pad(reading: Reading, node: fx.Node) -> Flow:
    source, flow = reading.source(node)
    padding: Any = node.args[1]
    if not any(padding):
        return flow
    mode = str(argument(node, 2, "constant"))
    if operator_name(node) == "pad" and mode != "constant" and _pads_images(source, flow, padding):
        return reading.alike(node, "pad", kernel=shape_of(node)[2:], variant=mode)
    if shape_of(node)[flow.axis] != shape_of(source)[flow.axis]:
        reading.fixed(node, source)
        flow = Flow(Channels(shape_of(node)[flow.axis]), flow.axis)
    return copied(reading, node, flow)


def _pads_images(source: fx.Node, flow: Flow, padding: Sequence[int]) -> bool:
    """Whether pixels are put around images, channels first; others are counted as a copy."""
    return len(shape_of(source)) == 4 and flow.axis == 1 and min(padding) >= 0


def _resize(reading: Reading, node: fx.Node) -> Flow:
    height, width = shape_of(node)[-2:]
    return reading.alike(node, "resize", kernel=(height, width), variant=_between(node))


def _resize1d(reading: Reading, node: fx.Node) -> Flow:
    kernel = beside(1, shape_of(node)[-1])
    return in_a_row(reading, node, "resize", kernel=kernel, variant=_between(node))


def _between(node: fx.Node) -> str | None:
    """How pixels between the given ones are made; None for the nearest."""
    smooth = _SMOOTH.get(operator_name(node))
    return f"{smooth}_corners" if smooth and argument(node, 2, False) else smooth


RULES: dict[str, Rule] = {
    "add": elementwise,
    "sub": elementwise,
    "rsub": elementwise,
    "maximum": elementwise,
    "minimum": elementwise,
    "mul": elementwise,
    "div": elementwise,
    "neg": elementwise,
    "cat": _concat,
    "stack": _stack,
    "roll": _roll,
    "pad": _pad,
    "upsample_bicubic2d": _resize,
    "upsample_bilinear2d": _resize,
    "upsample_nearest2d": _resize,
    "upsample_linear1d": _resize1d,
    "upsample_nearest1d": _resize1d,
}
