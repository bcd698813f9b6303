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
from latency_tables.runtimes.onnx_sessions import AS_IT_IS, bound_runner, open_session
from latency_tables.runtimes.port import Runner


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
            return bound_runner(open_session(model, threads), _random_feeds(shapes))
        optimised, name, shape = without_edge_conversions(
            _optimised(model), op, shapes[INPUT_NAME], _block_size()
        )
        session = open_session(optimised.SerializeToString(), threads, AS_IT_IS)
        return bound_runner(session, _random_feeds({name: shape}))

    def network_runner(
        self, model: torch.nn.Module, example_input: torch.Tensor, threads: int
    ) -> Runner:
        """A session of the exported network; see :func:`export_onnx`."""
        feeds = {INPUT_NAME: example_input.numpy(force=True)}
        return bound_runner(open_session(export_onnx(model, example_input), threads), feeds)


def _optimised(model: bytes) -> Any:
    """The model as ONNX Runtime rewrites it; it hands that out by way of a file only."""
    with NamedTemporaryFile(prefix="autoprune-", suffix=".onnx") as file:
        open_session(model, threads=1, save_to=file.name)
        return onnx.load(file.name)


@cache
def _block_size() -> int:
    model, _ = operator_graph(Operator("conv", 1, 1, 4, 4), batch=1)
    return block_size(_optimised(model))


def _random_feeds(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
