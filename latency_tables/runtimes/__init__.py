"""The registry of runtimes: a new one is a file here and a line below, or an entry point.

Another package adds a runtime through the entry-point group ``autoprune.runtimes``, whose value is
a class without arguments that implements :class:`latency_tables.runtimes.port.Runtime`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from latency_tables.errors import UnknownRuntimeError
from latency_tables.runtimes.port import Runner, Runtime

GROUP = "autoprune.runtimes"
_BUILT_IN = (
    EntryPoint("onnxruntime", "latency_tables.runtimes.onnxruntime_cpu:OnnxRuntime", GROUP),
    EntryPoint("torch", "latency_tables.runtimes.torch_cpu:TorchRuntime", GROUP),
)


def _registered() -> dict[str, EntryPoint]:
    # Built-in names come last, so that no other package can shadow them.
    return {point.name: point for point in (*entry_points(group=GROUP), *_BUILT_IN)}


def runtime_names() -> tuple[str, ...]:
    """Names of all runtimes there are, sorted."""
    return tuple(sorted(_registered()))


@cache
def runtime(name: str) -> Runtime:
    """The runtime of that name; its library is imported only now.

    Raises:
        UnknownRuntimeError: no such runtime; the message lists what there is.
    """
    registered = _registered()
    if name not in registered:
        raise UnknownRuntimeError(name, registered)
    found: Runtime = registered[name].load()()
    return found


__all__ = ["GROUP", "Runner", "Runtime", "runtime", "runtime_names"]
