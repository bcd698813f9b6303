"""The user's own code by its name, ``path/file.py`` or ``package.module``."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from autoprune.user_code import raised
from autoprune.user_folders import load_file


def file_of(source: str) -> Path | None:
    """The file that a reference names before its colon; None where it names a module."""
    return Path(source).expanduser() if source.endswith(".py") else None


def load_module(source: str) -> ModuleType:
    """The module that a reference names before its colon; running it may raise anything.

    Args:
        source: a file that exists, or the dotted name of a module.
    """
    search_here()
    file = file_of(source)
    return importlib.import_module(source) if file is None else load_file(file.resolve())


def search_here() -> None:
    """Modules are looked for in the current folder too, where the user's code mostly lies."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def stopped(error: Exception, file: Path | None) -> str:
    """``stopped on import with ...``; of a module that is missing, where it was looked for."""
    words = f"stopped on import with {raised(error)}"
    if file is None or not isinstance(error, ModuleNotFoundError):
        return words
    own, here = str(file.resolve().parent), os.getcwd()
    return (
        f"{words}: {error.name!r} is not installed, and neither in the file's folder {own!r} "
        f"nor in the current folder {here!r}"
    )
