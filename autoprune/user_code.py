"""Where in the user's own code an exception comes from."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

_OURS = Path(__file__).parent
_PYTHON = Path(sysconfig.get_path("stdlib"))
_PACKAGES = tuple(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))


def raised(error: BaseException) -> str:
    """``ValueError: no boxes, at my_task.py:12``: the innermost line of the user's code.

    Without a line where none of the traceback is the user's.
    """
    said = str(error).strip().rstrip(".")
    words = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{words}{place_in(traceback.extract_tb(error.__traceback__))}"


def place_in(frames: Iterable[traceback.FrameSummary]) -> str:
    """``, at FILE:LINE`` of the innermost line of the user's code; empty where there is none.

    Code in no installed package comes first: a call that a package stops at is what is to be
    changed. A model may be in a package too, only not in torch, which runs it.
    """
    foreign = [frame for frame in frames if not _is_ours(frame.filename)]
    own = [frame for frame in foreign if not _is_installed(frame.filename)] or foreign
    return f", at {_shown(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _is_installed(file: str) -> bool:
    return any(folder in Path(file).parents for folder in _PACKAGES)


def _is_ours(file: str) -> bool:
    """Whether a frame is of autoprune, torch, or Python itself, or has no file."""
    if file.startswith("<"):
        return True
    parents = Path(file).parents
    of_python = _PYTHON in parents and not _is_installed(file)
    return of_python or _OURS in parents or any(f / "torch" in parents for f in _PACKAGES)


def _shown(file: str) -> str:
    path = Path(file)
    here = Path.cwd()
    return str(path.relative_to(here) if here in path.parents else path)
