"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch

from latency_tables.operators import Operator
from latency_tables.runtimes.onnx_blocked import block_size, without_edge_conversions
from latency_tables.runtimes.onnx_export import INPUT_NAME, export_onnx
from latency_tables.runtimes.onnx_graphs import operator_graph
from latency_tables.runtimes.port import Runner

_PAGE = 4096
_APART = 1408
"""Bytes: a multiple of the cache line that spreads three places over a page."""
_FULL = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
_NONE = ort.GraphOptimizationLevel.ORT_DISABLE_ALL


class OnnxRuntime:
    """The CPU provider with every graph optimisation, one stream of operators.

    Inputs and outputs are bound once, for operators and networks alike, so that a call holds
    little but the run itself. With more than one thread, a session's threads spin during a call,
    as deployed sessions do, and sleep after it: many sessions are alive while a table is
    measured, and the spinning of one would slow the next.
    """

    name = "onnxruntime"
    dtype = "float32"

    def version(self) -> str:
        """Version of the onnxruntime package."""
        return str(ort.__version__)

    def normalise(self, op: Operator) -> Operator:
        """A batch norm is folded into the convolution before it, which leaves a bias."""
        if op.kind == "conv" and op.batch_norm:
            return replace(op, batch_norm=False, bias=True)
        return op

    def operator_runner(self, op: Operator, batch: int, threads: int) -> Runner:
        """A session of a graph that holds the operator alone.

        Convolutions are measured as :mod:`latency_tables.runtimes.onnx_blocked` says.
        """
        op = self.normalise(op)
        model, shapes = operator_graph(op, batch)
        if op.kind != "conv":
            return _bound_runner(_session(model, threads), _random_feeds(shapes))
        optimised, name, shape = without_edge_conversions(
            _optimised(model), op, shapes[INPUT_NAME], _block_size()
        )
        session = _session(optimised.SerializeToString(), threads, _NONE)
        return _bound_runner(session, _random_feeds({name: shape}))

    def network_runner(
        self, model: torch.nn.Module, example_input: torch.Tensor, threads: int
    ) -> Runner:
        """A session of the exported network; see :func:`export_onnx`."""
        feeds = {INPUT_NAME: example_input.numpy(force=True)}
        return _bound_runner(_session(export_onnx(model, example_input), threads), feeds)


def _session(model: bytes, threads: int, level: Any = _FULL, save_to: str | None = None) -> Any:
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


def _optimised(model: bytes) -> Any:
    """The model as ONNX Runtime rewrites it; it hands that out by way of a file only."""
    with NamedTemporaryFile(prefix="autoprune-", suffix=".onnx") as file:
        _session(model, threads=1, save_to=file.name)
        return onnx.load(file.name)


@cache
def _block_size() -> int:
    model, _ = operator_graph(Operator("conv", 1, 1, 4, 4), batch=1)
    return block_size(_optimised(model))


def _random_feeds(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def _bound_runner(session: Any, feeds: Mapping[str, npt.NDArray[np.generic]]) -> Runner:
    binding = session.io_binding()
    outputs = session.run(None, dict(feeds))
    named = zip((each.name for each in session.get_outputs()), outputs, strict=True)
    bound = []
    for place, (name, values) in enumerate([*named, *feeds.items()]):
        value = ort.OrtValue.ortvalue_from_numpy(_placed(values, place))
        if name in feeds:
            binding.bind_ortvalue_input(name, value)
        else:
            binding.bind_ortvalue_output(name, value)
        bound.append(value)
    run = session.run_with_iobinding

    def call(_alive: list[Any] = bound) -> None:  # the binding itself keeps no buffer alive
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
