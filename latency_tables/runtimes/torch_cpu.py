"""Eager torch on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch

from latency_tables.operators import Operator
from latency_tables.runtimes.port import Runner
from latency_tables.runtimes.semantics import input_shapes
from latency_tables.runtimes.torch_operators import OperatorModule


class TorchRuntime:
    """Modules called one by one, as eager torch does: nothing is fused.

    The thread count is set for the length of each call and restored after it, so that a runner
    can live beside code that trains with another one.
    """

    name = "torch"
    dtype = "float32"

    def version(self) -> str:
        """Version of the torch package."""
        return str(torch.__version__)

    def normalise(self, op: Operator) -> Operator:
        """Eager torch runs what is written."""
        return op

    def operator_runner(self, op: Operator, batch: int, threads: int) -> Runner:
        """The operator's module on inputs of its own."""
        return threaded_runner(*operator_with_inputs(op, batch), threads)

    def network_runner(
        self, model: torch.nn.Module, example_input: torch.Tensor, threads: int
    ) -> Runner:
        """The network itself.

        Raises:
            ValueError: the model is in training mode.
        """
        check_evaluating(model)
        return threaded_runner(model, (example_input,), threads)


def operator_with_inputs(
    op: Operator, batch: int
) -> tuple[OperatorModule, tuple[torch.Tensor, ...]]:
    """The operator as a module, and inputs for it; the same ones every time.

    Raises:
        UnsupportedOperatorError: the operator cannot be run as described.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = OperatorModule(op)
        return module, tuple(torch.randn(shape) for shape in input_shapes(op, batch))


def check_evaluating(model: torch.nn.Module) -> None:
    """Raise ValueError for a model in training mode."""
    if model.training:
        raise ValueError("the model is in training mode: call model.eval() before measuring")


def threaded_runner(
    module: Callable[..., object], inputs: tuple[torch.Tensor, ...], threads: int
) -> Runner:
    """Calls the module without gradients, with so many threads for the length of each call."""

    def call() -> None:
        before = torch.get_num_threads()
        if before != threads:
            torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                module(*inputs)
        finally:
            if before != threads:
                torch.set_num_threads(before)

    return call
