"""Tasks by name, and what identifies one in a job."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from pathlib import Path
from typing import Any

from autoprune.data.factories import import_reference, is_reference
from autoprune.data.task import FUNCTIONS, Task
from autoprune.errors import TaskError, UnknownNameError


def load_task(name: str) -> Task:
    """The task called ``package.module:NAME`` or ``path/file.py:NAME``.

    Raises:
        UnknownNameError: no such form of a name, or no such module.
        InputError: the file or the name in it is not there, or its module stops on import.
        TaskError: what it names is no task.
    """
    if not is_reference(name):
        raise UnknownNameError("task", name, ["package.module:NAME", "path/file.py:NAME"])
    found = import_reference(name)
    if not isinstance(found, Task):
        raise TaskError(
            f"task {name!r} must be an autoprune.Task, got {_kind(found)}: write "
            f"{name.rpartition(':')[2]} = autoprune.Task(loss=function)"
        )
    return found.named(name)


def task_identity(task: Task) -> dict[str, Any]:
    """What tells this task from another one, for hashing: its settings, and its files' hashes."""
    functions = {field: getattr(task, field) for field in FUNCTIONS}
    sources = {field: _source(each) for field, each in functions.items() if each is not None}
    if task.name:
        sources["task"] = _hash_of_file(_file_of(task.name))
    return {
        "name": task.name,
        "direction": task.direction,
        "pooled": task.pooled,
        "part": task.part,
        "loss_in_training_mode": task.loss_in_training_mode,
        "sources": sources,
    }


def _source(function: Any) -> str:
    """Name of a function, with the hash of its file; torch's own change with torch's version."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if not hasattr(function, "__qualname__"):
        function = type(function)
    name = f"{function.__module__}.{function.__qualname__}"
    if name.partition(".")[0] in ("torch", "builtins", "_operator"):
        return name
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        file = None
    return f"{function.__qualname__} {_hash_of_file(file)}"


def _file_of(name: str) -> str | None:
    source = name.rpartition(":")[0]
    return source if source.endswith(".py") else getattr(sys.modules.get(source), "__file__", None)


def _hash_of_file(file: str | None) -> str:
    path = Path(file or "").expanduser()
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"


def _kind(found: Any) -> str:
    return "a class" if isinstance(found, type) else type(found).__name__
