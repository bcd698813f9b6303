"""A single-operator graph is what the exporter writes for that operator in a network."""

from __future__ import annotations

import io
import warnings
from collections import Counter

import onnx
import pytest
import torch
from test_runtime_contract import EVERY_KIND

from latency_tables import Operator
from latency_tables.runtimes.onnx_export import OPSET
from latency_tables.runtimes.onnx_graphs import operator_graph
from latency_tables.runtimes.onnxruntime_cpu import _optimised
from latency_tables.runtimes.torch_cpu import operator_with_inputs


def exported(op: Operator) -> bytes:
    """As :func:`export_onnx` writes networks, here with several inputs."""
    module, inputs = operator_with_inputs(op, 2)
    with torch.no_grad():
        # A network that was trained: scales of one would be optimised away.
        for parameter in module.parameters():
            parameter.normal_()
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, inputs, buffer, dynamo=False, opset_version=OPSET)
    return buffer.getvalue()


def node_types(model: bytes) -> Counter[str]:
    """What ONNX Runtime makes of a model, as (node type, activation it took in)."""
    nodes = _optimised(model).graph.node
    activations = [
        [onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == "activation"]
        for node in nodes
    ]
    return Counter(f"{n.op_type} {a}" for n, a in zip(nodes, activations, strict=True))


@pytest.mark.parametrize("op", EVERY_KIND.values(), ids=EVERY_KIND)
def test_the_exporter_writes_the_same_nodes(op: Operator) -> None:
    assert node_types(operator_graph(op, 2)[0]) == node_types(exported(op))
