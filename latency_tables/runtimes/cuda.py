"""An NVIDIA GPU through torch, in single or half precision."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from latency_tables.device import DeviceFingerprint, this_device
from latency_tables.errors import RuntimeNotInstalledError
from latency_tables.operators import Operator
from latency_tables.runtimes.port import Runner
from latency_tables.runtimes.torch_cpu import check_evaluating, operator_with_inputs

_WARM_UP_CALLS = 3
_MILLISECONDS = 1e-3


class Cuda:
    """Eager torch on the current GPU, replayed from a CUDA graph where it can be captured.

    Without a graph, launching a kernel takes longer than most of them run, and a sum of operators
    would price the host. What cannot be captured, such as a forward that looks at its values, is
    launched kernel by kernel. TF32 and the choice of algorithms are as torch has them by default.
    The host's number of threads makes no difference.

    Args:
        name: as in the registry.
        dtype: of weights and activations; float inputs are cast to it.

    Raises:
        RuntimeNotInstalledError: torch sees no CUDA device.
    """

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        if not torch.cuda.is_available():
            raise RuntimeNotInstalledError(
                f"the runtime {name!r} needs a GPU and no CUDA device is visible to torch "
                f"{torch.__version__}: run it on a machine that has one, with a torch built for "
                "CUDA (https://pytorch.org/get-started), or take the runtime onnxruntime or torch"
            )
        self.name = name
        self._dtype = dtype

    @property
    def dtype(self) -> str:
        """Of weights and activations, without ``torch.``."""
        return str(self._dtype).removeprefix("torch.")

    def version(self) -> str:
        """Version of the torch package; what follows the + is its CUDA."""
        return str(torch.__version__)

    def device(self) -> DeviceFingerprint:
        """The host's fingerprint with the current GPU in it."""
        gpu = torch.cuda.get_device_properties(torch.cuda.current_device())
        # A slice of a GPU has its name and fewer multiprocessors.
        words = (
            f"{gpu.name}, sm_{gpu.major}{gpu.minor}, {gpu.multi_processor_count} multiprocessors"
        )
        return replace(this_device(), accelerator=words)

    def normalise(self, op: Operator) -> Operator:
        """Eager torch runs what is written."""
        return op

    def operator_runner(self, op: Operator, batch: int, threads: int) -> Runner:  # noqa: ARG002
        """The operator's module on inputs of its own, all of it on the GPU."""
        return self._runner(*operator_with_inputs(op, batch))

    def network_runner(
        self,
        model: torch.nn.Module,
        example_input: torch.Tensor,
        threads: int,  # noqa: ARG002
    ) -> Runner:
        """A copy of the network on the GPU; the model itself stays as and where it is.

        Raises:
            ValueError: the model is in training mode.
        """
        check_evaluating(model)
        return self._runner(model, (example_input,))

    def _runner(self, module: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> Runner:
        placed = placed_copy(module, inputs, torch.device("cuda"), self._dtype)
        return GpuRunner(*captured(placed))


@dataclass(frozen=True)
class Placed:
    """A module and its inputs where they run; one call runs it once."""

    module: torch.nn.Module
    inputs: tuple[torch.Tensor, ...]

    def __call__(self) -> None:
        """Launch it; on a GPU this returns before the work is done."""
        with torch.inference_mode(), default_algorithms():
            self.module(*self.inputs)


@contextmanager
def default_algorithms() -> Iterator[None]:
    """Inside, torch chooses algorithms as by default, whatever this process trains with."""
    mode = torch.get_deterministic_debug_mode()
    if not mode:
        yield
        return
    torch.set_deterministic_debug_mode(0)
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)


def placed_copy(
    module: torch.nn.Module,
    inputs: Sequence[torch.Tensor],
    device: torch.device,
    dtype: torch.dtype,
) -> Placed:
    """Copy a module and its inputs to a device; floats become ``dtype``, other types stay."""
    moved = (
        value.to(device, dtype if value.is_floating_point() else value.dtype) for value in inputs
    )
    return Placed(copy.deepcopy(module).to(device, dtype), tuple(moved))


def captured(launch: Placed) -> tuple[Callable[[], None], Placed]:
    """The replay of a CUDA graph of one launch, or the launch itself where none can be captured.

    Returns:
        What to call, and the launch, whose tensors the graph works on and which must stay alive.
    """
    # A capture wants a stream of its own, on which the libraries have allocated and chosen already.
    side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP_CALLS):
            launch()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            launch()
    except RuntimeError:
        torch.cuda.synchronize()
        return launch, launch
    return graph.replay, launch


@dataclass(frozen=True)
class GpuRunner:
    """Timed by events on the GPU: what the host does meanwhile is not in it."""

    launch: Callable[[], None]
    keeps: Placed

    def __call__(self) -> None:
        """Run once, to the end."""
        self.launch()
        torch.cuda.synchronize()

    def seconds(self, calls: int) -> float:
        """Mean seconds of one of so many launches in a row."""
        start: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        start.record()
        for _ in range(calls):
            self.launch()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) * _MILLISECONDS / calls


def single_precision() -> Cuda:
    """The runtime ``cuda``."""
    return Cuda("cuda", torch.float32)


def half_precision() -> Cuda:
    """The runtime ``cuda-fp16``."""
    return Cuda("cuda-fp16", torch.float16)
