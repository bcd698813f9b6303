"""What has been read of a graph so far: tensors on their way, and the terms that made them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx

from autoprune.errors import ModelError
from autoprune.models.channel_map import ChannelMap
from autoprune.pruning.channels import Channels, TensorChannels
from autoprune.pruning.graph_nodes import layer_of, pixels, shape_of
from autoprune.pruning.terms import Repeats, Term, Trait
from latency_tables.operators import Operator, OperatorKind


@dataclass(frozen=True)
class Heads:
    """Units of a group that an axis of their own counts, beside that of the channels."""

    units: Channels
    axis: int


@dataclass(frozen=True)
class Flow:
    """A tensor on its way: its channels, the axis that counts them, and the term that made it.

    Args:
        run: neighbouring channels of each unit, see :meth:`TensorChannels.run`; 0 if not known.
        heads: what of them was split off.
    """

    channels: Channels
    axis: int
    term: int | None = None
    run: int = 0
    heads: Heads | None = None


@dataclass
class Reading:
    """The state of reading one exported program, and what every rule needs of it.

    Args:
        sizes: of the model's tensors, as functions of the widths.
        full: the groups' widths in the unpruned network.
        layers: one of each group; to ignore it leaves the group whole.
        tensors: placeholder -> name of the parameter or buffer.
        maps: layer -> channel map.
        batch: images of the example input.
        flows: every node that the network's input reaches.
        terms: what has been priced.
    """

    sizes: TensorChannels
    full: list[int]
    layers: list[str]
    tensors: dict[str, str]
    maps: dict[str, ChannelMap]
    batch: int
    flows: dict[fx.Node, Flow] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)

    def sources(self, node: fx.Node) -> list[fx.Node]:
        """Inputs of a node that the network's input reaches."""
        return [source for source in node.all_input_nodes if source in self.flows]

    def source(self, node: fx.Node) -> tuple[fx.Node, Flow]:
        """The first of them."""
        first = self.sources(node)[0]
        return first, self.flows[first]

    def weight(self, node: fx.Node, position: int = 1) -> tuple[str, tuple[int, ...]]:
        """Name and shape of the parameter that a node takes as an argument.

        A weight computed from parameters alone, as by a parametrisation, is a constant of the
        runtime; it is named after its layer, and no group cuts it.
        """
        weight = node.args[position]
        if not isinstance(weight, fx.Node) or weight in self.flows:
            raise ModelError(
                f"layer {name_of(node)!r} computes its weight from its input, which no rule prices"
            )
        return self.tensors.get(weight.name, f"{name_of(node)}.weight"), shape_of(weight)

    def pixels(self, node: fx.Node, axis: int) -> tuple[int, int]:
        """Height and width of a node's tensor, for one image."""
        return pixels(shape_of(node), axis, self.batch)

    def per_image(self, count: int) -> int:
        """How many of ``count`` things in a batch belong to one image."""
        return max(1, count // self.batch)

    def emit(self, term: Term, axis: int) -> Flow:
        """Add a term; the flow of its output, whose channels are counted by ``axis``."""
        for channels, count in (
            (term.inputs, term.operator.in_channels),
            (term.outputs, term.operator.out_channels),
        ):
            if channels.at(self.full) != count:
                raise ModelError(
                    f"layer {term.layer!r}: {term.operator.label} has {count} channels, its "
                    f"groups account for {channels.at(self.full)}; exclude the layer by pattern"
                )
        self.terms.append(term)
        return Flow(term.outputs, axis, len(self.terms) - 1)

    def alike(self, node: fx.Node, kind: OperatorKind, **traits: Any) -> Flow:
        """A term with as many outputs as inputs, at the size of its largest input."""
        source = max(self.sources(node), key=lambda each: math.prod(shape_of(each)))
        flow = self.flows[source]
        count = shape_of(source)[flow.axis]
        height, width = self.pixels(source, flow.axis)
        operator = Operator(kind, count, count, height, width, **traits)
        heads = self.heads(node)
        repeats = None
        if heads is not None:
            if width > 1 and heads.axis != min({1, 2, 3} - {flow.axis}):
                raise self.unfollowed(node, source)
            repeats = self.repeats(heads, "height", height, operator.variant)
        term = Term(operator, flow.channels, flow.channels, name_of(node), repeats=repeats)
        return replace(self.emit(term, flow.axis), heads=heads)

    def fused(self, node: fx.Node, kinds: frozenset[str], **traits: Any) -> Flow | None:
        """Make ``node`` part of the term before it, where it can be."""
        source, flow = self.source(node)
        if flow.term is None or len(source.users) > 1:
            return None
        term = self.terms[flow.term]
        if term.operator.kind not in kinds or term.operator.activation is not None:
            return None
        if "batch_norm" in traits and term.operator.batch_norm:
            return None
        self.terms[flow.term] = replace(term, operator=replace(term.operator, **traits))
        return flow

    def fixed(self, node: fx.Node, source: fx.Node) -> None:
        """Raise ModelError where channels can be pruned that a rule takes as they are."""
        if self.flows[source].channels.multiples:
            raise self.unfollowed(node, source)

    def heads(self, node: fx.Node) -> Heads | None:
        """Those that all tensors a node takes have in common; raises ModelError where one lacks."""
        first, *others = self.sources(node)
        heads = self.flows[first].heads
        for other in others:
            if self.flows[other].heads != heads:
                raise self.unfollowed(node, other)
        return heads

    def repeats(
        self, heads: Heads | None, trait: Trait, size: int, variant: str | None
    ) -> Repeats | None:
        """What is done once for each head, where ``size`` counts it for all unpruned heads."""
        if heads is None:
            return None
        return Repeats(heads.units, trait, size // heads.units.at(self.full), variant)

    def unfollowed(self, node: fx.Node, source: fx.Node) -> ModelError:
        """What to raise where no rule follows the prunable channels of ``source``."""
        return ModelError(
            f"layer {name_of(node)!r} takes prunable channels of shape {shape_of(source)} into "
            f"{node.name!r}, where no rule follows them; {self.exclusion(source)}"
        )

    def exclusion(self, source: fx.Node) -> str:
        """What to do about the prunable channels of ``source``, with the names to give."""
        flow = self.flows.get(source)
        heads = flow.heads if flow is not None else None
        counted = [*([flow.channels] if flow else []), *([heads.units] if heads else [])]
        groups = sorted({group for channels in counted for group, _ in channels.multiples})
        layers = dict.fromkeys(self.layers[group] for group in groups)
        options = " ".join(f"--ignore {layer}" for layer in layers) or "--ignore"
        return f"exclude the layers that produce them ({options})"


Rule = Callable[[Reading, fx.Node], Flow]


def name_of(node: fx.Node) -> str:
    """Its layer, for messages; the node's own name where it belongs to none."""
    return layer_of(node) or node.name


def is_tensor(node: fx.Node) -> bool:
    """Whether its value is one tensor, not a list of them."""
    return isinstance(node.meta["val"], torch.Tensor)
