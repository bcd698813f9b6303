"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch

from latency_tables.operators import Operator
from latency_tables.runtimes.onnx_export import INPUT_NAME, export_onnx
from latency_tables.runtimes.onnx_graphs import operator_graph
from latency_tables.runtimes.port import Runner


class OnnxRuntime:
    """The CPU provider with every graph optimisation, one stream of operators.

    Inputs and outputs are bound once, for operators and networks alike, so that a call holds
    little but the run itself. With more than one thread, a session's threads spin during a call,
    as deployed sessions do, and sleep after it: many sessions are alive while a table is
    measured, and the spinning of one would slow the next.
    """

    name = "onnxruntime"

    def version(self) -> str:
        """Version of the onnxruntime package."""
        return str(ort.__version__)

    def normalise(self, op: Operator) -> Operator:
        """A batch norm is folded into the convolution before it, which leaves a bias."""
        if op.kind == "conv" and op.batch_norm:
            return replace(op, batch_norm=False, bias=True)
        return op

    def operator_runner(self, op: Operator, batch: int, threads: int) -> Runner:
        """A session of a graph that holds the operator alone."""
        model, shapes = operator_graph(self.normalise(op), batch)
        rng = np.random.default_rng(0)
        feeds = {
            name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()
        }
        return _bound_runner(model, feeds, threads)

    def network_runner(
        self, model: torch.nn.Module, example_input: torch.Tensor, threads: int
    ) -> Runner:
        """A session of the exported network; see :func:`export_onnx`."""
        feeds = {INPUT_NAME: example_input.numpy(force=True)}
        return _bound_runner(export_onnx(model, example_input), feeds, threads)


def _session(model: bytes, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _bound_runner(
    model: bytes, feeds: Mapping[str, npt.NDArray[np.generic]], threads: int
) -> Runner:
    session = _session(model, threads)
    binding = session.io_binding()
    for name, values in feeds.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(values))
    outputs = session.run(None, dict(feeds))
    for output, values in zip(session.get_outputs(), outputs, strict=True):
        binding.bind_ortvalue_output(output.name, ort.OrtValue.ortvalue_from_numpy(values))
    run = session.run_with_iobinding

    def call() -> None:
        run(binding)

    return call
