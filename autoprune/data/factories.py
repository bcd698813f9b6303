"""Things the user names in Python: ``package.module:name`` or ``path/file.py:name``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from autoprune.data.dataset import Dataset
from autoprune.data.loaders import LOADER_SEED, materialise
from autoprune.data.seeding import isolated_randomness
from autoprune.errors import DataError, InputError

SPLITS = ("train", "val", "test")


def is_reference(name: str) -> bool:
    """Whether ``name`` points at a file or a module that can be found."""
    module, colon, attribute = name.rpartition(":")
    if not colon or not attribute.isidentifier():
        return False
    return module.endswith(".py") or _module_exists(module)


def import_reference(name: str) -> Any:
    """What ``name`` points at; importing it runs the user's code."""
    module_name, _, attribute = name.rpartition(":")
    if module_name.endswith(".py"):
        module = _import_file(Path(module_name).expanduser())
    else:
        module = importlib.import_module(module_name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise InputError(f"{module_name} has no {attribute!r}, which {name!r} asks for") from None


def load_factory(name: str) -> Dataset:
    """Call the user's factory: it returns a Dataset, or loaders as a dict or a tuple."""
    with isolated_randomness(LOADER_SEED):
        made = import_reference(name)()
    if isinstance(made, Dataset):
        return made
    if isinstance(made, tuple) and 1 <= len(made) <= len(SPLITS):
        made = dict(zip(SPLITS, made, strict=False))
    if isinstance(made, dict) and "train" in made and set(made) <= set(SPLITS):
        return materialise(made["train"], made.get("val"), made.get("test"), name)
    raise DataError(
        f"{name} must return (train, val), (train, val, test) or a dict of these, "
        f"got {sorted(made) if isinstance(made, dict) else type(made).__name__}"
    )


def _module_exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _import_file(path: Path) -> ModuleType:
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
