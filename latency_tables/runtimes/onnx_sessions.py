"""Sessions of ONNX Runtime, set up in one way wherever a latency is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from latency_tables.runtimes.port import Runner

FULLY_OPTIMISED = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
AS_IT_IS = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
_PAGE = 4096
_APART = 1408
"""Bytes: a multiple of the cache line that spreads three places over a page."""


def open_session(
    model: bytes, threads: int, level: Any = FULLY_OPTIMISED, save_to: str | None = None
) -> Any:
    """A session on the CPU, one stream of operators.

    Args:
        save_to: where the model is written as the session rewrote it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = level
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if save_to is not None:
        options.optimized_model_filepath = save_to
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def bound_runner(session: Any, feeds: Mapping[str, npt.NDArray[np.generic]]) -> Runner:
    """A call of a session with its inputs and outputs in place; their values are copied.

    Args:
        feeds: input name -> values.
    """
    binding = session.io_binding()
    outputs = session.run(None, dict(feeds))
    named = zip((each.name for each in session.get_outputs()), outputs, strict=True)
    for place, (name, values) in enumerate([*named, *feeds.items()]):
        value = ort.OrtValue.ortvalue_from_numpy(_placed(values, place))
        if name in feeds:
            binding.bind_ortvalue_input(name, value)
        else:
            binding.bind_ortvalue_output(name, value)
    run = session.run_with_iobinding

    def call() -> None:
        run(binding)

    return call


def _placed(values: npt.NDArray[np.generic], place: int) -> npt.NDArray[np.generic]:
    """A copy whose address lies elsewhere within a page than those of other places.

    Large buffers of their own all start alike, and a store whose address agrees with a load's in
    its last twelve bits holds the load up: depthwise convolutions came out 40% slower than between
    the tensors of a network, which lie anywhere.
    """
    room = np.empty(values.nbytes + 2 * _PAGE, dtype=np.uint8)
    start = -room.ctypes.data % _PAGE + place * _APART % _PAGE
    copy = room[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
