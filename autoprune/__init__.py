"""autoprune: how many channels to keep in every layer, under a measured latency budget.

From Python::

    import autoprune

    result = autoprune.search(model, example_input, train=train, val=val, budget="50%")
    result.export("pruned")
    network = autoprune.load("pruned", model=make_model)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoprune.data.task import Task
    from autoprune.export.load import load
    from autoprune.interface import SearchResult, search

__all__ = ["SearchResult", "Task", "load", "search"]


def __getattr__(name: str) -> Any:
    """Import torch and the rest only when something is used."""
    if name == "load":
        from autoprune.export.load import load

        return load
    if name == "Task":
        from autoprune.data.task import Task

        return Task
    if name in ("search", "SearchResult"):
        from autoprune import interface

        return getattr(interface, name)
    raise AttributeError(f"module 'autoprune' has no attribute {name!r}")
