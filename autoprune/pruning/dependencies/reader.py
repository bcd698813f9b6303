"""One pass over an exported graph: every operator has a rule, or stops the channels it touches."""

from __future__ import annotations

import operator
from collections.abc import Callable

from torch import fx, nn
from torch.export import ExportedProgram

from autoprune.models.channel_map import ChannelMap
from autoprune.pruning.dependencies import arithmetic, folding, layers, movement
from autoprune.pruning.dependencies.flows import Flow, Reading
from autoprune.pruning.dependencies.labels import Labels
from autoprune.pruning.graph_nodes import argument, is_pointwise, layer_of, operator_name

Rule = Callable[[Reading, fx.Node], Flow | None]

RULES: dict[str, Rule] = {
    **layers.RULES,
    **arithmetic.RULES,
    **folding.RULES,
    **dict.fromkeys(movement.SAME, movement.same),
    **dict.fromkeys(movement.MOVES, movement.moved),
    **dict.fromkeys(movement.PADS, movement.padded),
}


def read_dependencies(model: nn.Module, program: ExportedProgram) -> Reading:
    """Labels of every channel of an exported model.

    Args:
        model: whose channel maps are told by their modules.
        program: its export in evaluation mode, at the shapes it is read for.
    """
    signature = program.graph_signature
    tensors = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    stored = model.state_dict()
    constants = {**dict(model.named_buffers()), **program.constants}
    named = {**tensors, **signature.inputs_to_lifted_tensor_constants}
    reading = Reading(
        labels=Labels(),
        tensors={placeholder: name for placeholder, name in tensors.items() if name in stored},
        values={
            placeholder: constants[name] for placeholder, name in named.items() if name in constants
        },
        maps={name: m for name, m in model.named_modules() if isinstance(m, ChannelMap)},
    )
    for node in program.graph.nodes:
        if node.op == "call_function":
            _visit(reading, node)
        elif node.op == "output":
            _stop_outputs(reading, node)
    return reading


def _visit(reading: Reading, node: fx.Node) -> None:
    name, layer = operator_name(node), layer_of(node)
    if node.target is operator.getitem:
        parts = reading.flows.get(argument(node, 0, None))
        # Values and their places, as a maximum has them, have the same channels.
        reading.flows[node] = parts[argument(node, 1, None)] if isinstance(parts, list) else parts
    elif layer in reading.maps:
        reading.flows[node] = _in_channel_map(reading, node, layer)
    elif name in movement.PARTS:
        reading.flows[node] = movement.parts(reading, node)
    elif name in RULES:
        reading.flows[node] = RULES[name](reading, node)
    elif is_pointwise(node):
        reading.flows[node] = arithmetic.pointwise(reading, node)
    else:
        reading.freeze(node, "no rule follows what its channels go through")


def _in_channel_map(reading: Reading, node: fx.Node, layer: str) -> Flow | None:
    """The module as a whole is one step: its last operator gathers, those before it carry."""
    if operator_name(node) == "index_select":
        return layers.channel_map(reading, node, layer)
    found = reading.flows_into(node)
    return found[0][1] if found else None


def _stop_outputs(reading: Reading, node: fx.Node) -> None:
    """Said of them before all else, as of what an output is made of by a softmax and the like."""
    left, seen = [node], {node}
    while left:
        for source in left.pop().all_input_nodes:
            flow = reading.flow(source)
            labels = reading.ends.get(source) if flow is None else flow.labels
            if labels is not None:
                why = "its channels are an output of the network"
                reading.labels.freeze(labels, why, above_all=True)
            if source not in seen and _made_of_outputs(source, labels is not None):
                seen.add(source)
                left.append(source)


def _made_of_outputs(node: fx.Node, known: bool) -> bool:
    """Whether what a node takes is put out with it, its numbers changed one by one at most.

    Args:
        known: whether the node's channels are; then others may lie beside them, and no more.
    """
    if known or node.op != "call_function":
        return operator_name(node) in ("cat", "concat", "stack")
    movements = movement.SAME | movement.MOVES | movement.PADS
    return is_pointwise(node) or operator_name(node) in movements
