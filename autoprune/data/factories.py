"""Things the user names in Python: ``package.module:name`` or ``path/file.py:name``."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from autoprune.data.dataset import Dataset
from autoprune.data.loaders import LOADER_SEED, materialise
from autoprune.data.seeding import isolated_randomness
from autoprune.data.task import Task
from autoprune.errors import DataError, InputError
from autoprune.user_code import raised

SPLITS = ("train", "val", "test")
CLASSES = "classes"


def is_reference(name: str) -> bool:
    """Whether ``name`` points at a file, or at a module that can be found."""
    module, colon, attribute = name.rpartition(":")
    if not colon or not attribute.isidentifier():
        return False
    return module.endswith(".py") or _module_exists(module)


def import_reference(name: str) -> Any:
    """What ``name`` points at; importing it runs the user's code.

    Raises:
        InputError: no such file or name, or its module stops on import.
    """
    source, _, attribute = name.rpartition(":")
    try:
        module = _from_file(Path(source)) if source.endswith(".py") else _from_package(source)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{source}, which {name!r} asks for, stopped on import with {raised(error)}"
        ) from error
    if not hasattr(module, attribute):
        offered = ", ".join(sorted(key for key in vars(module) if not key.startswith("_")))
        raise InputError(f"{source} has no {attribute!r}; it has: {offered}")
    return getattr(module, attribute)


def load_factory(name: str, task: Task | None = None) -> Dataset:
    """Call the user's factory: it returns a Dataset, or loaders as a dict or a tuple.

    A dict may also say the ``classes``, by number or by name.

    ``task`` says what targets are for that are no class numbers.
    """
    factory = import_reference(name)
    _check_takes_nothing(name, factory)
    with isolated_randomness(LOADER_SEED):
        try:
            made = factory()
        except Exception as error:
            raise DataError(f"{name} failed with {raised(error)}") from error
    if isinstance(made, Dataset):
        return made.for_task(task)
    if isinstance(made, tuple) and 1 <= len(made) <= len(SPLITS):
        made = dict(zip(SPLITS, made, strict=False))
    if isinstance(made, dict) and "train" in made and set(made) <= {*SPLITS, CLASSES}:
        train, val, test = (made.get(split) for split in SPLITS)
        return materialise(train, val, test, name, made.get(CLASSES), task)
    got = sorted(made) if isinstance(made, dict) else type(made).__name__
    raise DataError(
        f"{name} must return (train, val), (train, val, test) or a dict of these, with the number "
        f"or names of {CLASSES!r} where training labels do not tell them, got {got}"
    )


def _check_takes_nothing(name: str, factory: Any) -> None:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return  # calling it tells
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]
    if needed:
        raise DataError(
            f"{name} is called without arguments, but it takes {', '.join(needed)}: give them "
            "default values, or name a function that calls it"
        )


def _module_exists(name: str) -> bool:
    _search_here()
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _from_package(name: str) -> ModuleType:
    _search_here()
    return importlib.import_module(name)


def _search_here() -> None:
    """Modules are looked for in the current folder too, where the user's code mostly lies."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def _from_file(path: Path) -> ModuleType:
    path = path.expanduser()
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    name = f"autoprune_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
