"""The registry of runtimes: a new one is a file here and a line below, or an entry point.

Another package adds a runtime through the entry-point group ``autoprune.runtimes``, whose value is
called without arguments (a class, mostly) and makes a
:class:`latency_tables.runtimes.port.Runtime`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from latency_tables.device import DeviceFingerprint, this_device
from latency_tables.errors import RuntimeNotInstalledError, UnknownRuntimeError
from latency_tables.operators import Operator
from latency_tables.runtimes.port import OwnDevice, Runner, Runtime, SelfTimed

GROUP = "autoprune.runtimes"
_BUILT_IN = (
    EntryPoint("cuda", "latency_tables.runtimes.cuda:single_precision", GROUP),
    EntryPoint("cuda-fp16", "latency_tables.runtimes.cuda:half_precision", GROUP),
    EntryPoint("onnxruntime", "latency_tables.runtimes.onnxruntime_cpu:OnnxRuntime", GROUP),
    EntryPoint("torch", "latency_tables.runtimes.torch_cpu:TorchRuntime", GROUP),
    EntryPoint("torch-compile", "latency_tables.runtimes.torch_compile:CompiledTorch", GROUP),
)


def _registered() -> dict[str, EntryPoint]:
    # Built-in names come last, so that no other package can shadow them.
    return {point.name: point for point in (*entry_points(group=GROUP), *_BUILT_IN)}


def runtime_names() -> tuple[str, ...]:
    """Names of all runtimes there are, sorted; not every machine runs every one."""
    return tuple(sorted(_registered()))


@cache
def runtime(name: str) -> Runtime:
    """The runtime of that name; its library is imported only now.

    Raises:
        UnknownRuntimeError: no such runtime; the message lists what there is.
        RuntimeNotInstalledError: its library, compiler or device is missing on this machine.
    """
    registered = _registered()
    if name not in registered:
        raise UnknownRuntimeError(name, registered)
    try:
        found: Runtime = registered[name].load()()
    except ImportError as error:
        package = (error.name or name).partition(".")[0]
        raise RuntimeNotInstalledError(
            f"the runtime {name!r} cannot be loaded ({error}): pip install {package}"
        ) from error
    return found


def normalised(op: Operator, name: str) -> Operator:
    """The operator as the runtime of that name will run it.

    A table can be read where its runtime cannot run: then the operator is taken as it stands.
    """
    try:
        return runtime(name).normalise(op)
    except (UnknownRuntimeError, RuntimeNotInstalledError):
        return op


def device_of(port: Runtime) -> DeviceFingerprint:
    """What a runtime runs on: its own device, or this machine's processor."""
    return port.device() if isinstance(port, OwnDevice) else this_device()


def runs_here(name: str, device: DeviceFingerprint) -> bool:
    """Whether the runtime of that name runs on this machine, and on such a device."""
    try:
        return device_of(runtime(name)) == device
    except (UnknownRuntimeError, RuntimeNotInstalledError):
        return False


__all__ = [
    "GROUP",
    "OwnDevice",
    "Runner",
    "Runtime",
    "SelfTimed",
    "device_of",
    "normalised",
    "runs_here",
    "runtime",
    "runtime_names",
]
