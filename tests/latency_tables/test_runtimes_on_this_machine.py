"""Runtimes that need something of the machine: a compiler, a GPU, a library."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import _dynamo as dynamo
from torch import nn
from torch._dynamo.utils import counters

from latency_tables import (
    DeviceFingerprint,
    Operator,
    RuntimeNotInstalledError,
    Table,
    TableContext,
    device_of,
    runs_here,
    runtime,
    this_device,
)
from latency_tables.measuring import Stopwatch
from latency_tables.runtimes.cuda import placed_copy

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason=f"no CUDA device is visible to torch {torch.__version__}"
)
make_anew: Callable[..., object] = runtime.__wrapped__  # type: ignore[attr-defined]


@no_cuda
@pytest.mark.parametrize("name", ["cuda", "cuda-fp16"])
def test_without_a_gpu_the_message_names_the_torch_that_sees_none(name: str) -> None:
    with pytest.raises(RuntimeNotInstalledError) as caught:
        runtime(name)
    assert f"the runtime {name!r} needs a GPU" in str(caught.value)
    assert f"no CUDA device is visible to torch {torch.__version__}" in str(caught.value)


def test_without_a_compiler_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeNotInstalledError, match=r"no-such-compiler is .*install g\+\+"):
        make_anew("torch-compile")


def test_without_its_library_the_message_says_which_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "latency_tables.runtimes.onnxruntime_cpu", raising=False)
    with pytest.raises(RuntimeNotInstalledError, match="pip install onnxruntime"):
        make_anew("onnxruntime")


@no_cuda
def test_a_table_of_a_gpu_can_be_read_where_there_is_none(
    table_of: Callable[..., Table],
) -> None:
    gpu = DeviceFingerprint("Some CPU", "x86_64", 8, "AVX512", "Linux", "Some GPU, sm_90")
    op = Operator("conv", 8, 8, 4, 4, batch_norm=True)
    table = Table(TableContext("cuda", "2", 1, 1, gpu), table_of({op: 1e-5}).entries)
    assert table.price(op).seconds == 1e-5
    assert Table.from_json(table.to_json()).context.device == gpu
    assert not runs_here("cuda", gpu)


def test_a_runtime_on_the_processor_runs_on_this_device() -> None:
    assert device_of(runtime("torch")) == this_device()
    assert runs_here("torch", this_device())
    assert not runs_here("no such runtime", this_device())


def test_the_copy_that_moves_to_a_device_leaves_the_model_as_it_was() -> None:
    model, inputs = nn.Linear(4, 2), (torch.randn(3, 4), torch.arange(3))
    placed = placed_copy(model, inputs, torch.device("cpu"), torch.float16)
    assert placed.module.weight.dtype == torch.float16
    assert [value.dtype for value in placed.inputs] == [torch.float16, torch.int64]
    assert model.weight.dtype == torch.float32
    assert model.weight.requires_grad


@dataclass
class OwnClock:
    """Finishes at once and says it took a millisecond a call."""

    bursts: list[int] = field(default_factory=list)

    def __call__(self) -> None:
        pass

    def seconds(self, calls: int) -> float:
        self.bursts.append(calls)
        return 1e-3


def test_a_runner_with_a_clock_of_its_own_is_timed_by_that() -> None:
    runner = OwnClock()
    watch = Stopwatch.warmed_up(runner)
    assert watch.time() == 1e-3
    assert watch.calls == runner.bursts[-1] == 1


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if bool(x.sum() > 0) else -x


@needs_cuda
@pytest.mark.parametrize("name", ["cuda", "cuda-fp16"])
def test_a_gpu_times_what_is_captured_and_what_is_not(name: str) -> None:
    port = runtime(name)
    assert "sm_" in (device_of(port).accelerator or "")
    model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU()).eval()
    for module in (model, Branching().eval()):
        runner = port.network_runner(module, torch.randn(2, 3, 64, 64), 1)
        assert 0 < Stopwatch.warmed_up(runner).time() < 0.1
    assert next(model.parameters()).device.type == "cpu"
    assert next(model.parameters()).dtype == torch.float32


def test_more_networks_of_one_class_than_torch_would_compile_are_compiled_each() -> None:
    """Beyond its limit, torch.compile runs what shares a code object uncompiled."""
    port = runtime("torch-compile")
    before = counters["stats"]["unique_graphs"]
    with dynamo.config.patch(recompile_limit=1):
        for width in (1, 2, 3):
            port.network_runner(nn.Linear(2, width).eval(), torch.randn(1, 2), 1)
    assert counters["stats"]["unique_graphs"] - before == 3


def test_compiled_operators_compute_with_the_threads_asked_for() -> None:
    port, threads = runtime("torch-compile"), torch.get_num_threads()
    run = port.operator_runner(Operator("linear", 8, 4, bias=True), 2, threads + 1)
    run()
    assert torch.get_num_threads() == threads
