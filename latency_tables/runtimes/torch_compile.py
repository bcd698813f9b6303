"""Torch on the CPU, compiled by torch.compile."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from types import FunctionType
from typing import Any

import torch

from latency_tables.errors import RuntimeNotInstalledError
from latency_tables.operators import Operator
from latency_tables.runtimes.port import Runner
from latency_tables.runtimes.torch_cpu import (
    check_evaluating,
    operator_with_inputs,
    threaded_runner,
)

# Threads would compile in processes that outlive the call and disturb what is measured next.
_OPTIONS: dict[str, Any] = {"compile_threads": 1}


class CompiledTorch:
    """Networks as torch.compile makes them for fixed shapes, operators alike.

    Where it pays: batch norms, activations, additions and other elementwise steps become one loop
    over the memory, so networks of many cheap steps (depthwise convolutions with SiLU, layer norms)
    gain; dense convolutions and matrix products are the libraries' that eager torch calls, and gain
    nothing. What it costs: every operator and every network is compiled, which takes seconds each,
    where eager torch takes none; a table of hundreds of operators takes the better part of an hour.
    Measure with a coarse ``--divisor``, or take ``torch`` unless compiled torch is what you deploy.

    Going into compiled code and coming back takes tens of microseconds, which an operator pays each
    and a network pays once. The sum is too high by as much for every schedule, since none has fewer
    operators than another; a calibration takes it off.

    Each runner compiles once, when it is made, for its shapes and number of threads. The thread
    count is set for the length of each call and restored after it.

    Raises:
        RuntimeNotInstalledError: there is no C++ compiler, or no header of Python.
    """

    name = "torch-compile"
    dtype = "float32"

    def __init__(self) -> None:
        check_compiler()

    def version(self) -> str:
        """Version of the torch package."""
        return str(torch.__version__)

    def normalise(self, op: Operator) -> Operator:
        """As it is written: what the compiler fuses depends on the neighbours, nothing vanishes."""
        return op

    def operator_runner(self, op: Operator, batch: int, threads: int) -> Runner:
        """The compiled module of the operator on inputs of its own."""
        module, inputs = operator_with_inputs(op, batch)
        return _compiled_runner(module, inputs, threads)

    def network_runner(
        self, model: torch.nn.Module, example_input: torch.Tensor, threads: int
    ) -> Runner:
        """The compiled network; the model itself stays as it is.

        Raises:
            ValueError: the model is in training mode.
        """
        check_evaluating(model)
        return _compiled_runner(model, (example_input,), threads)


def check_compiler() -> None:
    """Raise RuntimeNotInstalledError unless torch.compile has what it needs to compile C++."""
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(compiler) is None:
        raise RuntimeNotInstalledError(
            f"the runtime 'torch-compile' needs a C++ compiler and {compiler} is not on the PATH: "
            "install one (apt install g++), or name yours in the environment variable CXX"
        )
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.exists():
        raise RuntimeNotInstalledError(
            f"the runtime 'torch-compile' compiles against {headers}, which is not there: install "
            "Python's headers (apt install python3-dev)"
        )


def _compiled_runner(
    module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], threads: int
) -> Runner:
    compiled = torch.compile(_own_function(module), dynamic=False, options=_OPTIONS)
    runner = threaded_runner(compiled, inputs, threads)
    with torch.random.fork_rng(devices=[]):
        runner()
    return runner


def _own_function(module: torch.nn.Module) -> Any:
    """A function that calls the module and shares no code object with another one.

    torch.compile keeps what it compiled by code object, and after eight versions of one runs the
    rest uncompiled without a word: two networks of one class would get in each other's way.
    """

    def call(*inputs: torch.Tensor) -> Any:
        return module(*inputs)

    return FunctionType(
        call.__code__.replace(), call.__globals__, call.__name__, None, call.__closure__
    )
