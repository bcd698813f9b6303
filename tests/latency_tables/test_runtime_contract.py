"""What every runtime must do; a new runtime joins by its name in the registry."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import latency_tables.runtimes as registry
from latency_tables import (
    Operator,
    Runtime,
    UnknownRuntimeError,
    UnsupportedOperatorError,
    runtime,
    runtime_names,
)
from latency_tables.operators import CONVOLUTIONS, OperatorKind
from latency_tables.runtimes.onnx_export import export_onnx
from latency_tables.runtimes.onnx_graphs import operator_graph
from latency_tables.runtimes.semantics import ACTIVATIONS, input_shapes
from latency_tables.runtimes.torch_operators import OperatorModule

CONV = Operator("conv", 8, 12, 9, 9, (3, 3), padding=(1, 1))
POOL = {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1)}
EVERY_KIND = {
    "conv": CONV,
    "conv with all": replace(CONV, bias=True, batch_norm=True, activation="relu"),
    "strided conv": replace(CONV, stride=(2, 1), kernel=(3, 5), padding=(0, 2)),
    "dilated conv": replace(CONV, dilation=(2, 2)),
    "conv1d": Operator("conv1d", 8, 12, 1, 9, (1, 3), (1, 2), (0, 1), batch_norm=True,
                       activation="relu"),
    "depthwise conv1d": Operator("conv1d", 8, 8, 1, 9, (1, 3), groups=8),
    "conv_transpose": Operator("conv_transpose", 8, 12, 9, 9, (3, 3), (2, 2), (1, 1), bias=True,
                               output_padding=(1, 0)),
    "grouped conv_transpose": Operator("conv_transpose", 8, 12, 9, 9, (2, 2), (2, 2), groups=4,
                                       batch_norm=True, activation="relu"),
    "depthwise conv_transpose": Operator("conv_transpose", 8, 8, 9, 9, (2, 2), (2, 2), groups=8),
    "grouped conv": replace(CONV, groups=4),
    "depthwise": Operator("conv", 8, 8, 9, 9, (3, 3), groups=8, batch_norm=True),
    "linear": Operator("linear", 20, 10, bias=True),
    "linear without bias": Operator("linear", 20, 10, activation="relu"),
    "linear with bias and batch norm": Operator("linear", 20, 10, bias=True, batch_norm=True),
    "linear with all": Operator("linear", 20, 10, batch_norm=True, activation="relu"),
    "linear on tokens": Operator("linear", 20, 10, 4, 4, activation="gelu"),
    "linear on tokens with bias": Operator("linear", 20, 10, 16, bias=True, activation="relu"),
    "linear on tokens with batch norm": Operator("linear", 20, 10, 16, batch_norm=True),
    "matmul": Operator("matmul", 9, 6, 9, copies=4),
    "transposed matmul": Operator("matmul", 6, 9, 9, copies=4, variant="transposed"),
    "scaled matmul": Operator("matmul", 9, 6, 9, copies=4, variant="scaled"),
    "scaled transposed matmul": Operator("matmul", 6, 9, 9, variant="scaled_transposed"),
    "attention": Operator("attention", 12, 12, 9, 7, head_dim=4, copies=2),
    "causal attention": Operator("attention", 12, 12, 9, 9, head_dim=6, variant="causal"),
    "masked attention": Operator("attention", 12, 12, 9, 7, head_dim=6, variant="masked"),
    "layer_norm": Operator("layer_norm", 8, 8, 9, 9),
    "instance_norm": Operator("instance_norm", 8, 8, 9, 9),
    "instance_norm of sequences": Operator("instance_norm", 8, 8, 9),
    "group_norm": Operator("group_norm", 8, 8, 9, 9, groups=4),
    "l2_norm": Operator("l2_norm", 8, 8, 9),
    "softmax": Operator("softmax", 8, 8, 9),
    "softmax over a middle axis": Operator("softmax", 8, 8, 2, 9, variant="log"),
    "batch_norm": Operator("batch_norm", 8, 8, 9, 9, activation="relu"),
    "add": Operator("add", 8, 8, 9, 9, activation="relu"),
    "add of a number": Operator("add", 8, 8, 9, 9, variant="scalar"),
    "add of a number on tokens": Operator("add", 8, 8, 9, variant="scalar"),
    "multiply": Operator("multiply", 8, 8, 9, 9),
    "multiply per channel": Operator("multiply", 8, 8, 9, 9, variant="per_channel"),
    "multiply per channel on tokens": Operator("multiply", 8, 8, 9, variant="per_channel"),
    "concat": Operator("concat", 9, 9, 9, 9),
    "concat of a few and many": Operator("concat", 2, 9, 9, 9),
    "max_pool": Operator("max_pool", 8, 8, 9, 9, **POOL),
    "avg_pool": Operator("avg_pool", 8, 8, 9, 9, **POOL),
    "avg_pool at height one": Operator("avg_pool", 8, 8, 1, 9, (1, 3), (1, 2)),
    "global_avg_pool": Operator("global_avg_pool", 8, 8, 9, 9),
    "global_max_pool": Operator("global_max_pool", 8, 8, 9, 9),
    "global_avg_pool at height one": Operator("global_avg_pool", 8, 8, 1, 9),
    "resize": Operator("resize", 8, 8, 9, 9, (18, 13)),
    "bilinear resize": Operator("resize", 8, 8, 9, 9, (18, 13), variant="bilinear"),
    "bilinear resize of corners": Operator("resize", 8, 8, 9, 9, (18, 13),
                                           variant="bilinear_corners"),
    "bicubic resize": Operator("resize", 8, 8, 9, 9, (18, 13), variant="bicubic"),
    "bicubic resize of corners": Operator("resize", 8, 8, 9, 9, (18, 13),
                                          variant="bicubic_corners"),
    "circular pad": Operator("pad", 8, 8, 9, 9, (11, 12), variant="circular"),
    "circular pad of columns": Operator("pad", 8, 8, 9, 9, (9, 10), variant="circular"),
    "reflecting pad": Operator("pad", 8, 8, 9, 9, (11, 12), variant="reflect"),
    "replicating pad": Operator("pad", 8, 8, 9, 9, (11, 9), variant="replicate"),
    "pixel_shuffle": Operator("pixel_shuffle", 3, 3, 9, 6, (2, 2)),
    "pixel_unshuffle": Operator("pixel_unshuffle", 3, 3, 9, 6, (3, 3)),
    "channel_map": Operator("channel_map", 8, 12, 9, 9, stride=(2, 2)),
    "narrowing channel_map": Operator("channel_map", 8, 5, 9, 9),
    **{f"activation {name}": Operator("activation", 8, 8, 9, 9, activation=name)
       for name in ACTIVATIONS},
}  # fmt: skip


needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason=f"no CUDA device is visible to torch {torch.__version__}"
)
ON_GPU = [pytest.param(name, marks=needs_cuda) for name in ("cuda", "cuda-fp16")]
QUICK = ["onnxruntime", "torch", *(["cuda", "cuda-fp16"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=["onnxruntime", "torch", "torch-compile", *ON_GPU])
def each(request: pytest.FixtureRequest) -> Runtime:
    return runtime(request.param)


@pytest.fixture(params=QUICK)
def quick(request: pytest.FixtureRequest) -> Runtime:
    """Those that need no compiling, and so can run every operator in a test."""
    return runtime(request.param)


def test_every_kind_is_among_the_examples() -> None:
    assert {op.kind for op in EVERY_KIND.values()} == set(get_args(OperatorKind))


def test_a_runtime_says_its_name_and_version(each: Runtime) -> None:
    assert each.name in runtime_names()
    assert each.version()[0].isdigit()
    assert each.dtype == ("float16" if each.name == "cuda-fp16" else "float32")


@pytest.mark.parametrize("op", EVERY_KIND.values(), ids=EVERY_KIND)
def test_every_operator_runs_at_any_batch(quick: Runtime, op: Operator) -> None:
    for batch in (1, 3):
        run = quick.operator_runner(op, batch, 1)
        assert run() is None
        run()


@pytest.mark.parametrize("op", EVERY_KIND.values(), ids=EVERY_KIND)
def test_normalising_twice_changes_nothing_more(quick: Runtime, op: Operator) -> None:
    once = quick.normalise(op)
    assert quick.normalise(once) == once
    assert (once.kind, once.in_channels, once.out_channels) == (
        op.kind,
        op.in_channels,
        op.out_channels,
    )


@pytest.mark.parametrize(
    "op",
    [
        replace(CONV, activation="maxout"),
        replace(CONV, kind="conv4d"),
        replace(CONV, groups=3),
        replace(CONV, in_channels=0),
        Operator("activation", 8, 8),
        replace(CONV, variant="scalar"),
        Operator("add", 8, 8, variant="transposed"),
        Operator("matmul", 8, 8, copies=0),
        Operator("attention", 8, 8, 9, 9),
        Operator("attention", 8, 8, 9, 9, head_dim=3),
        Operator("conv1d", 8, 8, 9, 9, (1, 3)),
        Operator("pixel_shuffle", 8, 8, 8, 8, (2, 4)),
        Operator("pad", 8, 8, 9, 9, (11, 11)),
        Operator("pad", 8, 8, 9, 9, (8, 9), variant="circular"),
        Operator("pad", 8, 8, 2, 9, (6, 9), variant="reflect"),
        Operator("pixel_unshuffle", 8, 8, 9, 9, (2, 2)),
        Operator("conv_transpose", 8, 8, 9, 9, (3, 3), output_padding=(1, 1)),
    ],
)
def test_what_cannot_be_run_is_refused(each: Runtime, op: Operator) -> None:
    with pytest.raises(UnsupportedOperatorError):
        each.operator_runner(op, 1, 1)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


def test_a_network_runs_and_is_left_as_it_was(each: Runtime) -> None:
    network = Network().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    threads = torch.get_num_threads()
    run = each.network_runner(network, torch.randn(2, 3, 8, 8), 2)
    run()
    run()
    assert torch.get_num_threads() == threads
    assert not network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_network_in_training_mode_is_refused(each: Runtime) -> None:
    with pytest.raises(ValueError, match=r"model\.eval\(\)"):
        each.network_runner(Network(), torch.randn(2, 3, 8, 8), 1)


def test_random_numbers_of_the_caller_are_left_alone(each: Runtime) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    each.operator_runner(CONV, 1, 1)
    assert torch.equal(torch.rand(3), expected)


def outputs_of_both(op: Operator) -> tuple[Any, Any]:
    model, shapes = operator_graph(op, 2)
    rng = np.random.default_rng(1)
    feeds = {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = OperatorModule(op)(*(torch.from_numpy(value) for value in feeds.values()))
    return session.run(None, feeds)[0], expected.numpy()


_WEIGHTED = {
    *CONVOLUTIONS,
    *("linear", "batch_norm", "instance_norm", "layer_norm", "group_norm", "per_channel"),
}


@pytest.mark.parametrize("op", EVERY_KIND.values(), ids=EVERY_KIND)
def test_both_runtimes_run_the_same_operator(op: Operator) -> None:
    """Equal shapes for all; equal values where no weights are drawn."""
    found, expected = outputs_of_both(op)
    assert found.shape == expected.shape
    if not _WEIGHTED & {op.kind, op.variant}:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_onnxruntime_folds_a_batch_norm_into_the_convolution() -> None:
    folded = replace(CONV, bias=True)
    normalise = runtime("onnxruntime").normalise
    assert normalise(replace(CONV, batch_norm=True)) == folded
    assert normalise(replace(CONV, batch_norm=True, bias=True)) == folded
    assert normalise(CONV) == CONV
    assert runtime("torch").normalise(replace(CONV, batch_norm=True)).batch_norm


def test_an_exported_network_computes_what_torch_computes() -> None:
    network, x = Network().eval(), torch.randn(2, 3, 8, 8)
    session = onnxruntime.InferenceSession(
        export_onnx(network, x), providers=["CPUExecutionProvider"]
    )
    found = session.run(["output"], {"input": x.numpy()})[0]
    np.testing.assert_allclose(found, network(x).detach().numpy(), atol=1e-5)


def test_inputs_of_a_concatenation_add_up() -> None:
    shapes = input_shapes(EVERY_KIND["concat"], 2)
    assert shapes == [(2, 5, 9, 9), (2, 4, 9, 9)]
    assert input_shapes(Operator("concat", 1, 1), 1) == [(1, 1, 1, 1)]


def test_an_unknown_runtime_lists_those_there_are() -> None:
    with pytest.raises(UnknownRuntimeError, match=r"'tflite'.*cuda, cuda-fp16, onnxruntime, torch"):
        runtime("tflite")


def test_another_package_can_add_a_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "their_runtime.py").write_text("class Theirs:\n    name = 'theirs'\n")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("theirs", "their_runtime:Theirs", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    assert "theirs" in runtime_names()
    assert runtime("theirs").name == "theirs"
