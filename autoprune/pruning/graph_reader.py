"""From an exported graph to terms of cost.

The rules; any operator named in none of them is refused by name, never priced 0:

==================================================  ==========================================
graph operator                                      priced as
==================================================  ==========================================
conv2d; batch_norm                                  ``conv``; a batch norm with a convolution or
                                                    linear before it, and no other reader of
                                                    that one's output, is part of it
linear                                              ``linear``; positions beside the batch count
                                                    as its height
relu, relu6, hardtanh(0, 6), silu, hardswish,       part of the operator before it where that has
sigmoid, hardsigmoid, gelu, tanh, leaky_relu, elu   no other reader, else ``activation``
prelu; softmax, log_softmax                         ``activation``: leaky_relu; sigmoid
add, sub; mul, div                                  ``add``; ``multiply``, at the output's size
cat                                                 ``concat`` of the total
max_pool2d, avg_pool2d                              ``max_pool``, ``avg_pool``
adaptive_avg_pool2d to 1x1, mean over all pixels    ``global_avg_pool``
adaptive_avg_pool2d to another size                 ``avg_pool`` with the kernel that comes
                                                    nearest; nothing where the size stays
all of a ChannelMap                                 ``channel_map``
flatten, view, reshape, squeeze, unsqueeze, slice,  nothing: no runtime computes there in
select, chunk, split, getitem, permute, transpose,  evaluation mode; what a runtime copies
expand, contiguous, clone, detach, alias, to,       nevertheless is left to the calibration
dropout
what the input does not reach                       nothing: it is computed once, not per call
==================================================  ==========================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram

from autoprune.errors import ModelError
from autoprune.models.channel_map import ChannelMap
from autoprune.pruning.channels import Channels, TensorChannels
from autoprune.pruning.graph_nodes import (
    argument,
    layer_of,
    moved_axis,
    operator_name,
    pair,
    pixels,
    shape_of,
)
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.terms import Term
from latency_tables.operators import Operator, OperatorKind

ACTIVATIONS = {
    name: name
    for name in (
        "relu",
        "relu6",
        "silu",
        "hardswish",
        "sigmoid",
        "hardsigmoid",
        "gelu",
        "tanh",
        "leaky_relu",
        "elu",
    )
} | {"prelu": "leaky_relu", "softmax": "sigmoid", "log_softmax": "sigmoid"}
VIEWS = frozenset(
    (
        "flatten",
        "view",
        "reshape",
        "squeeze",
        "unsqueeze",
        "slice",
        "select",
        "chunk",
        "split",
        "split_with_sizes",
        "getitem",
        "permute",
        "transpose",
        "expand",
        "contiguous",
        "clone",
        "detach",
        "alias",
        "to",
        "dropout",
        "feature_dropout",
    )
)
_TAKES_ACTIVATION = frozenset({"conv", "linear", "batch_norm", "add", "multiply"})
_TAKES_BATCH_NORM = frozenset({"conv", "linear"})


@dataclass(frozen=True)
class _Flow:
    """A tensor on its way: its channels, the axis that counts them, and the term that made it."""

    channels: Channels
    axis: int
    term: int | None = None


class GraphReader:
    """Reads one exported program; use once."""

    def __init__(
        self,
        model: nn.Module,
        program: ExportedProgram,
        sizes: TensorChannels,
        space: SearchSpace,
    ) -> None:
        self._program = program
        self._sizes = sizes
        self._full = [group.units for group in space.groups]
        signature = program.graph_signature
        self._tensors = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self._inputs = set(signature.user_inputs)
        self._maps = {n: m for n, m in model.named_modules() if isinstance(m, ChannelMap)}
        self._flows: dict[fx.Node, _Flow] = {}
        self._terms: list[Term] = []

    def read(self) -> tuple[Term, ...]:
        """The terms in the order of the graph."""
        for node in self._program.graph.nodes:
            if node.op == "placeholder" and node.name in self._inputs:
                shape = shape_of(node)
                axis = 1 if len(shape) > 1 else 0
                self._flows[node] = _Flow(Channels(shape[axis]), axis)
            elif node.op == "call_function" and self._sources(node):
                self._flows[node] = self._visit(node)
        return tuple(self._terms)

    def _visit(self, node: fx.Node) -> _Flow:
        layer = layer_of(node)
        if layer in self._maps:
            return self._channel_map(node, layer)
        name = operator_name(node)
        if name in VIEWS:
            return self._view(node)
        if name == "hardtanh" and list(node.args[1:3]) == [0.0, 6.0]:
            return self._activation(node, "relu6")
        if name in ACTIVATIONS:
            return self._activation(node, ACTIVATIONS[name])
        rule = _RULES.get(name)
        if rule is None:
            raise ModelError(
                f"layer {layer or node.name!r} computes {name!r}, which no rule prices: "
                f"there is {', '.join(sorted({*_RULES, *ACTIVATIONS, *VIEWS}))}"
            )
        return rule(self, node)

    def _sources(self, node: fx.Node) -> list[fx.Node]:
        """Inputs of a node that the network's input reaches."""
        return [source for source in node.all_input_nodes if source in self._flows]

    def _emit(self, term: Term, axis: int) -> _Flow:
        for channels, count in (
            (term.inputs, term.operator.in_channels),
            (term.outputs, term.operator.out_channels),
        ):
            if channels.at(self._full) != count:
                raise ModelError(
                    f"layer {term.layer!r}: {term.operator.label} has {count} channels, its "
                    f"groups account for {channels.at(self._full)}; exclude the layer by pattern"
                )
        self._terms.append(term)
        return _Flow(term.outputs, axis, len(self._terms) - 1)

    def _alike(self, node: fx.Node, kind: OperatorKind, **traits: Any) -> _Flow:
        """A term with as many outputs as inputs, at the size of its largest input."""
        source = max(self._sources(node), key=lambda each: math.prod(shape_of(each)))
        flow = self._flows[source]
        count = shape_of(source)[flow.axis]
        height, width = pixels(shape_of(source), flow.axis)
        operator = Operator(kind, count, count, height, width, **traits)
        term = Term(operator, flow.channels, flow.channels, layer_of(node) or node.name)
        return self._emit(term, flow.axis)

    def _fused(self, node: fx.Node, kinds: frozenset[str], **traits: Any) -> _Flow | None:
        """Make ``node`` part of the term before it, where it can be."""
        source = self._sources(node)[0]
        flow = self._flows[source]
        if flow.term is None or len(source.users) > 1:
            return None
        term = self._terms[flow.term]
        if term.operator.kind not in kinds or term.operator.activation is not None:
            return None
        if "batch_norm" in traits and term.operator.batch_norm:
            return None
        self._terms[flow.term] = replace(term, operator=replace(term.operator, **traits))
        return flow

    def _activation(self, node: fx.Node, name: str) -> _Flow:
        fused = self._fused(node, _TAKES_ACTIVATION, activation=name)
        return fused or self._alike(node, "activation", activation=name)

    def _batch_norm(self, node: fx.Node) -> _Flow:
        fused = self._fused(node, _TAKES_BATCH_NORM, batch_norm=True)
        return fused or self._alike(node, "batch_norm")

    def _weight(self, node: fx.Node) -> tuple[str, tuple[int, ...]]:
        weight = node.args[1]
        name = self._tensors.get(weight.name) if isinstance(weight, fx.Node) else None
        if name is None or not isinstance(weight, fx.Node):
            raise ModelError(
                f"layer {layer_of(node)!r} computes its weight; only plain parameters can be pruned"
            )
        return name, shape_of(weight)

    def _conv(self, node: fx.Node) -> _Flow:
        name, weight = self._weight(node)
        source = self._sources(node)[0]
        args = dict(zip(("stride", "padding", "dilation"), node.args[3:6], strict=False))
        groups = int(argument(node, 6, 1))
        height, width = pixels(shape_of(source), 1)
        operator = Operator(
            "conv",
            shape_of(source)[1],
            weight[0],
            height,
            width,
            kernel=(weight[2], weight[3]),
            stride=pair(args.get("stride", 1)),
            padding=pair(args.get("padding", 0)),
            dilation=pair(args.get("dilation", 1)),
            groups=groups,
            bias=argument(node, 2, None) is not None,
        )
        outputs = self._sizes.of(name, 0, weight[0])
        depthwise = groups > 1 and groups == weight[0] == shape_of(source)[1]
        inputs = outputs if depthwise else self._sizes.of(name, 1, weight[1]).times(groups)
        macs = math.prod(shape_of(node)[2:]) * weight[2] * weight[3]
        per = macs if depthwise else macs / groups
        term = Term(operator, inputs, outputs, name.rpartition(".")[0], per)
        return self._emit(term, 1)

    def _linear(self, node: fx.Node) -> _Flow:
        name, (out_features, in_features) = self._weight(node)
        shape = shape_of(self._sources(node)[0])
        positions = math.prod(shape[1:-1])
        operator = Operator(
            "linear",
            in_features,
            out_features,
            height=positions,
            bias=argument(node, 2, None) is not None,
        )
        inputs = self._sizes.of(name, 1, in_features)
        outputs = self._sizes.of(name, 0, out_features)
        term = Term(operator, inputs, outputs, name.rpartition(".")[0], float(positions))
        return self._emit(term, len(shape) - 1)

    def _channel_map(self, node: fx.Node, layer: str) -> _Flow:
        source = self._sources(node)[0]
        if operator_name(node) != "index_select":
            return self._flows[source]
        while layer_of(source) == layer:
            source = self._sources(source)[0]
        flow = self._flows[source]
        module = self._maps[layer]
        height, width = pixels(shape_of(source), 1)
        count = len(module.channel_map)
        operator = Operator(
            "channel_map",
            shape_of(source)[1],
            count,
            height,
            width,
            stride=(module.stride, module.stride),
        )
        outputs = self._sizes.of(f"{layer}.channel_map", 0, count)
        return self._emit(Term(operator, flow.channels, outputs, layer), 1)

    def _concat(self, node: fx.Node) -> _Flow:
        sources: Any = node.args[0]
        flows = [self._flows.get(each) for each in sources]
        axis = next(flow.axis for flow in flows if flow is not None)
        shape = shape_of(node)
        channels = next(flow.channels for flow in flows if flow is not None)
        if int(argument(node, 1, 0)) % len(shape) == axis:
            channels = Channels(0)
            for flow, source in zip(flows, sources, strict=True):
                fixed = Channels(shape_of(source)[axis])
                channels = channels.plus(fixed if flow is None else flow.channels)
        height, width = pixels(shape, axis)
        operator = Operator("concat", shape[axis], shape[axis], height, width)
        return self._emit(Term(operator, channels, channels, layer_of(node) or node.name), axis)

    def _pool(self, node: fx.Node) -> _Flow:
        kind: OperatorKind = "max_pool" if operator_name(node) == "max_pool2d" else "avg_pool"
        kernel = pair(node.args[1])
        stride = pair(argument(node, 2, None) or kernel)
        padding = pair(argument(node, 3, 0))
        dilation = pair(argument(node, 4, 1)) if kind == "max_pool" else (1, 1)
        return self._alike(
            node, kind, kernel=kernel, stride=stride, padding=padding, dilation=dilation
        )

    def _adaptive_pool(self, node: fx.Node) -> _Flow:
        before, after = shape_of(self._sources(node)[0])[-2:], shape_of(node)[-2:]
        if before == after and after != (1, 1):
            return self._flows[self._sources(node)[0]]
        if after == (1, 1):
            return self._alike(node, "global_avg_pool")
        stride = (max(1, before[0] // after[0]), max(1, before[1] // after[1]))
        kernel = (math.ceil(before[0] / after[0]), math.ceil(before[1] / after[1]))
        return self._alike(node, "avg_pool", kernel=kernel, stride=stride)

    def _mean(self, node: fx.Node) -> _Flow:
        source = self._sources(node)[0]
        flow, dims = self._flows[source], argument(node, 1, None)
        rank = len(shape_of(source))
        if dims is None or {dim % rank for dim in dims} != set(range(1, rank)) - {flow.axis}:
            raise ModelError(
                f"layer {layer_of(node) or node.name!r} takes a mean over dimensions {dims} of "
                f"{shape_of(source)}; only a mean over all pixels has a price"
            )
        pooled = self._alike(node, "global_avg_pool")
        return replace(pooled, axis=pooled.axis if len(shape_of(node)) == rank else 1)

    def _view(self, node: fx.Node) -> _Flow:
        source = self._sources(node)[0]
        flow, before = self._flows[source], shape_of(source)
        value = node.meta["val"]
        if not isinstance(value, torch.Tensor):
            return flow
        after = tuple(value.shape)
        axis = moved_axis(node, flow.axis, len(before))
        if axis < len(after) and after[axis] == before[flow.axis]:
            # What only renames or reshapes leaves the value as it was: a later activation fuses.
            return _Flow(flow.channels, axis, flow.term if after == before else None)
        if not flow.channels.multiples:
            return _Flow(Channels(after[min(1, len(after) - 1)]), min(1, len(after) - 1))
        if flow.axis == 1 and len(after) == 2 and after[1] == math.prod(before[1:]):
            return _Flow(flow.channels.times(math.prod(before[2:])), 1)
        raise ModelError(
            f"layer {layer_of(node) or node.name!r} reshapes prunable channels by "
            f"{operator_name(node)!r} from {before} to {after}, which no rule follows; "
            "exclude the layer that produces them by pattern"
        )


_RULES: dict[str, Callable[[GraphReader, fx.Node], _Flow]] = {
    "conv2d": GraphReader._conv,
    "linear": GraphReader._linear,
    "batch_norm": GraphReader._batch_norm,
    "cat": GraphReader._concat,
    "max_pool2d": GraphReader._pool,
    "avg_pool2d": GraphReader._pool,
    "adaptive_avg_pool2d": GraphReader._adaptive_pool,
    "mean": GraphReader._mean,
    "add": lambda reader, node: reader._alike(node, "add"),
    "sub": lambda reader, node: reader._alike(node, "add"),
    "mul": lambda reader, node: reader._alike(node, "multiply"),
    "div": lambda reader, node: reader._alike(node, "multiply"),
}
