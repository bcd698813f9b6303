from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pytest
import torch

from latency_tables import DeviceFingerprint, Entry, Operator, Sample, Table, TableContext


def sample(median_s: float) -> Sample:
    return Sample(median_s, median_s / 100, (median_s,) * 5, repeats=12, noisy=False)


@pytest.fixture
def context() -> TableContext:
    device = DeviceFingerprint("Some CPU", "x86_64", 8, "AVX512", "Linux")
    return TableContext("onnxruntime", "1.31.1", 1, 1, device)


@pytest.fixture
def table_of(context: TableContext) -> Callable[[Mapping[Operator, float]], Table]:
    """Builds a table from operator -> seconds."""

    def build(seconds: Mapping[Operator, float]) -> Table:
        entries = tuple(Entry(op, sample(value)) for op, value in seconds.items())
        return Table(context, entries, {"name": "by hand"})

    return build


class SpinningRuntime:
    """Every operator takes as many microseconds as it has outputs, times ``slowness``."""

    name = "spinning"
    dtype = "float32"

    def __init__(self) -> None:
        self.built: list[Operator] = []
        self.slowness = 1.0

    def version(self) -> str:
        return "1"

    def normalise(self, op: Operator) -> Operator:
        return op

    def operator_runner(self, op: Operator, batch: int, threads: int) -> Callable[[], None]:
        self.built.append(op)
        seconds = op.out_channels * 1e-6

        def call() -> None:
            until = time.perf_counter() + seconds * self.slowness
            while time.perf_counter() < until:
                pass

        return call

    def network_runner(
        self, model: torch.nn.Module, example_input: torch.Tensor, threads: int
    ) -> Callable[[], None]:
        raise NotImplementedError


@pytest.fixture
def spinning() -> SpinningRuntime:
    return SpinningRuntime()
