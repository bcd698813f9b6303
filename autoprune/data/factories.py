"""Things the user names in Python: ``package.module:name`` or ``path/file.py:name``."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

from autoprune.data.dataset import Dataset
from autoprune.data.loaders import LOADER_SEED, materialise
from autoprune.data.seeding import isolated_randomness
from autoprune.data.task import Task
from autoprune.errors import DataError, InputError
from autoprune.user_code import raised
from autoprune.user_files import file_of, load_module, search_here, stopped

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
    file = file_of(source)
    if file is not None and not file.is_file():
        raise InputError(f"there is no file {file}")
    try:
        module = load_module(source)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{source}, which {name!r} asks for, {stopped(error, file)}") from error
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
    search_here()
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
