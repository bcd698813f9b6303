"""From an exported graph to terms of cost.

Every operator of the graph has a rule, found by name; docs/operators.md lists them. One that has
none is refused by name, never priced 0.
"""

from __future__ import annotations

from torch import fx, nn
from torch.export import ExportedProgram

from autoprune.models.channel_map import ChannelMap
from autoprune.pruning import (
    graph_folding,
    graph_functions,
    graph_layers,
    graph_normalising,
    graph_pixels,
    graph_pools,
    graph_products,
)
from autoprune.pruning.channels import Channels, TensorChannels
from autoprune.pruning.graph_flows import Flow, Reading, Rule
from autoprune.pruning.graph_functions import ACTIVATIONS, activation
from autoprune.pruning.graph_heads import KEEPS_HEADS, view_with_heads
from autoprune.pruning.graph_layers import channel_map
from autoprune.pruning.graph_nodes import layer_of, operator_name, shape_of
from autoprune.pruning.graph_refusals import unpriced
from autoprune.pruning.graph_views import VIEWS
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.terms import Term

RULES: dict[str, Rule] = {
    **graph_functions.RULES,
    **graph_layers.RULES,
    **graph_products.RULES,
    **graph_pixels.RULES,
    **graph_pools.RULES,
    **graph_folding.RULES,
    **graph_normalising.RULES,
}
CREATES = frozenset(("full_like", "new_full", "new_ones", "new_zeros", "ones_like", "zeros_like"))
"""What takes a tensor for its shape and type alone: its values are constants."""


def read_terms(
    model: nn.Module, program: ExportedProgram, sizes: TensorChannels, space: SearchSpace
) -> tuple[Term, ...]:
    """The terms of an exported model in the order of its graph.

    Args:
        model: whose channel maps are told by their modules.
        program: its export in evaluation mode.
        sizes: of its tensors.
        space: the groups that ``sizes`` refers to.

    Raises:
        ModelError: an operator that no rule prices, or prunable channels where no rule follows.
    """
    signature = program.graph_signature
    inputs = [n for n in program.graph.nodes if n.op == "placeholder"]
    inputs = [node for node in inputs if node.name in set(signature.user_inputs)]
    reading = Reading(
        sizes=sizes,
        full=[group.units for group in space.groups],
        layers=[group.producers[0] for group in space.groups],
        tensors={**signature.inputs_to_parameters, **signature.inputs_to_buffers},
        maps={n: m for n, m in model.named_modules() if isinstance(m, ChannelMap)},
        batch=shape_of(inputs[0])[0],
    )
    for node in inputs:
        shape = shape_of(node)
        axis = 1 if len(shape) > 1 else 0
        reading.flows[node] = Flow(Channels(shape[axis]), axis)
    for node in _needed(program.graph):
        if reading.sources(node) and operator_name(node) not in CREATES:
            reading.flows[node] = _visit(reading, node)
    return tuple(reading.terms)


def _needed(graph: fx.Graph) -> list[fx.Node]:
    """The calls whose results the output depends on, or that write into a tensor, in order."""
    needed: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        writes = str(getattr(node.target, "_schema", "")).partition("(")[0].split(".")[0]
        if node.op == "output" or writes.endswith("_") or needed & set(node.users):
            needed.add(node)
    return [node for node in graph.nodes if node.op == "call_function" and node in needed]


def _visit(reading: Reading, node: fx.Node) -> Flow:
    layer, name = layer_of(node), operator_name(node)
    if layer in reading.maps:
        return channel_map(reading, node, layer)
    if name in VIEWS:
        return view_with_heads(reading, node)
    if name in ACTIVATIONS:
        return activation(reading, node, ACTIVATIONS[name])
    rule = RULES.get(name)
    if rule is None:
        raise unpriced(node, {*RULES, *ACTIVATIONS, *VIEWS})
    for source in reading.sources(node):
        if reading.flows[source].heads is not None and name not in KEEPS_HEADS:
            raise reading.unfollowed(node, source)
    return rule(reading, node)
