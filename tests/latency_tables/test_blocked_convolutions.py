"""Convolutions of the onnxruntime runtime are measured as they run between others."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from latency_tables import Operator
from latency_tables.runtimes import onnxruntime_cpu
from latency_tables.runtimes.onnx_blocked import without_edge_conversions
from latency_tables.runtimes.onnx_graphs import operator_graph
from latency_tables.runtimes.onnx_sessions import AS_IT_IS, open_session


@pytest.fixture
def block() -> int:
    size = onnxruntime_cpu._block_size()
    if size == 1:
        pytest.skip("onnxruntime has no blocked layout on this processor")
    return size


def conv(in_channels: int, out_channels: int) -> Operator:
    return Operator(
        "conv", in_channels, out_channels, 6, 6, (3, 3), padding=(1, 1), activation="relu"
    )


def stripped(op: Operator, block: int) -> tuple[Any, str, tuple[int, ...]]:
    model, shapes = operator_graph(op, 1)
    optimised = onnxruntime_cpu._optimised(model)
    return without_edge_conversions(optimised, op, shapes["input"], block)


def kinds(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_aligned_widths_convert_nothing(block: int) -> None:
    model, _, shape = stripped(conv(2 * block, 2 * block + 4), block)
    assert kinds(model) == ["Conv"]
    assert shape == (1, 2 * block, 6, 6)


def test_inputs_are_whole_blocks(block: int) -> None:
    _, _, shape = stripped(conv(block + 4, block), block)
    assert shape[1] == 2 * block


@pytest.mark.parametrize("extra", [2, -4])
def test_outputs_that_no_convolution_reads_in_blocks_are_converted(block: int, extra: int) -> None:
    model, _, _ = stripped(conv(block, block + extra), block)
    assert kinds(model) == ["Conv", "ReorderOutput"]


def test_a_convolution_that_is_not_blocked_stays_as_it_is(block: int) -> None:
    op = conv(block + 2, block)
    model, name, shape = stripped(op, block)
    assert not any(kind.startswith("Reorder") for kind in kinds(model))
    assert (name, shape) == ("input", (1, block + 2, 6, 6))


def test_without_conversions_the_same_numbers_come_out_in_blocks(block: int) -> None:
    op = conv(2 * block, 2 * block)
    plain = onnxruntime.InferenceSession(
        operator_graph(op, 1)[0], providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(0).standard_normal((1, 2 * block, 6, 6), dtype=np.float32)
    expected = plain.run(None, {"input": x})[0]
    model, name, shape = stripped(op, block)
    session = open_session(model.SerializeToString(), 1, AS_IT_IS)
    blocks = x.reshape(1, 2, block, 6, 6).transpose(0, 1, 3, 4, 2)
    found = session.run(None, {name: np.ascontiguousarray(blocks).reshape(shape)})[0]
    restored = found.reshape(1, 2, 6, 6, block).transpose(0, 1, 4, 2, 3).reshape(x.shape)
    np.testing.assert_allclose(restored, expected, atol=1e-5)
