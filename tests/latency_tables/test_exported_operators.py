"""A single-operator graph is what the exporter writes for that operator in a network."""

from __future__ import annotations

import io
import warnings
from collections import Counter

import onnx
import onnxruntime
import pytest
import torch
from test_runtime_contract import EVERY_KIND

from latency_tables import Operator
from latency_tables.runtimes.onnx_export import OPSET, export_onnx
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


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
def test_a_weight_that_is_computed_is_exported_as_the_constant_it_is(norm: str) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)).eval()
    getattr(torch.nn.utils.parametrizations, norm)(model[0])
    images = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        expected = model(images)
    graph = onnx.load_from_string(export_onnx(model, images)).graph
    assert [node.op_type for node in graph.node] == ["Conv"]
    weight = next(onnx.numpy_helper.to_array(t) for t in graph.initializer if len(t.dims) == 4)
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(weight.copy()), model[0].weight)
        assert torch.equal(model(images), expected)
    assert torch.nn.utils.parametrize.is_parametrized(model[0])


@pytest.mark.parametrize("kernel", [3, (4, 3)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_that_keeps_the_size_runs_at_any_kernel_and_dilation(
    kernel: int | tuple[int, int], dilation: int
) -> None:
    model = torch.nn.Conv2d(3, 4, kernel, padding="same", dilation=dilation).eval()
    images = torch.randn(1, 3, 8, 8)
    session = onnxruntime.InferenceSession(export_onnx(model, images))
    (output,) = session.run(None, {"input": images.numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(output), model(images), atol=1e-5)
