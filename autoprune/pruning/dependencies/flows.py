"""A tensor on its way through the graph: the axis that holds channels, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from autoprune.models.channel_map import ChannelMap
from autoprune.pruning.dependencies.labels import FIXED, FREE, Labels
from autoprune.pruning.graph_nodes import layer_of, operator_name, shape_of
from autoprune.pruning.graph_splits import axis_of_channels


@dataclass(frozen=True)
class Flow:
    """Channels of a tensor; a tensor without a flow holds nothing that can be pruned.

    Args:
        axis: that counts them.
        labels: one for each position along it, [size].
    """

    axis: int
    labels: torch.Tensor

    def over(self, shape: Sequence[int]) -> torch.Tensor:
        """The label of every element of a tensor of this shape; a view."""
        return self.labels.reshape(
            *(-1 if d == self.axis else 1 for d in range(len(shape)))
        ).expand(tuple(shape))


@dataclass
class Reading:
    """What every rule needs, and what it adds to.

    Args:
        labels: of all channels.
        tensors: placeholder -> name in the state dict; parameters and buffers.
        values: placeholder -> the tensor itself, also of constants.
        maps: layer -> channel map.
        flows: of the nodes visited; of a node that gives several tensors, one for each.
        layers: names of layers with a weight, in the order they were met.
        ends: nodes that hold channels which stay, and are followed no further -> their labels.
    """

    labels: Labels
    tensors: dict[str, str]
    values: dict[str, torch.Tensor]
    maps: dict[str, ChannelMap]
    flows: dict[fx.Node, Flow | list[Flow | None] | None] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)
    ends: dict[fx.Node, torch.Tensor] = field(default_factory=dict)

    def flow(self, node: Any) -> Flow | None:
        """Of a node with one tensor."""
        found = self.flows.get(node) if isinstance(node, fx.Node) else None
        return found if isinstance(found, Flow) else None

    def tensor(self, node: Any) -> str | None:
        """Name of the parameter or buffer that a node is, if it is one."""
        return self.tensors.get(node.name) if isinstance(node, fx.Node) else None

    def flows_into(self, node: fx.Node) -> list[tuple[fx.Node, Flow]]:
        """The inputs of a node that have channels."""
        found = []
        for source in node.all_input_nodes:
            flow = self.flows.get(source)
            found += [
                (source, each) for each in (flow if isinstance(flow, list) else [flow]) if each
            ]
        return found

    def freeze(self, node: fx.Node, why: str) -> None:
        """Whatever flows into a node must stay."""
        for _, flow in self.flows_into(node):
            where = layer_of(node) or "the network itself"
            self.labels.freeze(flow.labels, f"{why} ({operator_name(node)!r} in {where!r})")

    def found(self, labels: torch.Tensor, node: fx.Node) -> Flow | None:
        """The flow of a node's tensor from the labels of all its elements.

        Where they differ along several axes, the channels of one of these are told apart, and what
        they have in common along the others goes together.
        """
        if not bool((labels > FIXED).any()):
            return None
        varying = [dim for dim in range(labels.ndim) if _varies(labels, dim)]
        if not varying:
            self.labels.freeze(labels, "a single channel is spread over a whole tensor")
            return None
        axis = axis_of_channels(node, varying)
        rows = labels.movedim(axis, -1).reshape(-1, labels.shape[axis])
        vector = rows.amax(0)
        if len(varying) > 1:
            self.labels.tie(torch.where(rows == FREE, vector, rows), vector)
        return Flow(axis, vector.clamp(min=FIXED))


def _varies(labels: torch.Tensor, dim: int) -> bool:
    """Whether labels differ along a dimension, leaving free ones aside."""
    if labels.shape[dim] == 1 or bool((labels == labels.narrow(dim, 0, 1)).all()):
        return False
    if not bool((labels == FREE).any()):
        return True
    most = labels.amax(dim)
    least = torch.where(labels == FREE, torch.iinfo(torch.int64).max, labels).amin(dim)
    return bool(((most != least) & (most != FREE)).any())


def shapes(node: fx.Node) -> tuple[int, ...] | None:
    """The shape of a node's tensor; None where it gives no tensor or several."""
    return shape_of(node) if isinstance(node.meta.get("val"), torch.Tensor) else None
