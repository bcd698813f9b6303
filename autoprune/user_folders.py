"""The user's files, each imported once, with what else is in their folders.

A file is one module in a process, whoever asks for it: a model, its data, its task. It goes by its
plain name, as it does where a neighbour imports it, or by a longer one where something else has
that name. Its folder is put first in ``sys.path``, as Python does for a script, and stays there:
functions may import neighbours when they are called. The current folder is searched too.

Whenever a file is asked for, the files of its folder are compared with what was executed; where
one changed, all of that folder are executed anew. What the process imported by itself stays.

Two folders may have neighbours of one name. While a file is imported it finds those of its own
folder and no others'. An import inside a function finds those of the folder that was asked for last
first.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

_LOCK = threading.RLock()
_STARTED = time.time()


@dataclass(frozen=True)
class _Loaded:
    module: ModuleType
    file: Path | None
    digest: bytes | None

    def is_as_executed(self) -> bool:
        return self.file is None or _digest(self.file) == self.digest


@dataclass
class _Folder:
    """A folder with files of the user's.

    Args:
        foreign: top-level modules that the process had before; they are none of these.
        added: whether Python searches it for the user's files alone.
        loaded: files and their neighbours by the names of their modules.
    """

    path: Path
    foreign: frozenset[str]
    added: bool
    loaded: dict[str, _Loaded] = field(default_factory=dict)

    def module_of(self, file: Path) -> ModuleType | None:
        return next((each.module for each in self.loaded.values() if each.file == file), None)

    def note_neighbours(self) -> None:
        """Keep what was imported from this folder, also by functions that were called."""
        for name, module in list(sys.modules.items()):
            root = name.partition(".")[0]
            mine = root not in self.foreign and _lies_in(sys.modules.get(root), self.path)
            if mine and name not in self.loaded:
                file = _file_of_module(module)
                self.loaded[name] = _Loaded(module, file, _digest(file) if file else None)

    def forget(self, *names: str) -> None:
        for name in names:
            each = self.loaded.pop(name)
            if sys.modules.get(name) is each.module:
                del sys.modules[name]
            if each.file is not None and not each.is_as_executed():
                _forget_bytecode(each.file)

    def make_way(self, folder: Path) -> None:
        """Leave names to ``folder`` that it has files of, until this folder is asked for again."""
        for name, each in self.loaded.items():
            root = name.partition(".")[0]
            has_it = (folder / f"{root}.py").exists() or (folder / root).is_dir()
            if has_it and sys.modules.get(name) is each.module:
                del sys.modules[name]

    def adopt(self, file: Path) -> ModuleType | None:
        """The module where the process has it already, unless the file may have changed since."""
        module = sys.modules.get(file.stem)
        if module is None or _file_of_module(module) != file or file.stat().st_mtime >= _STARTED:
            return None
        self.loaded[file.stem] = _Loaded(module, file, _digest(file))
        return module

    def execute(self, file: Path) -> ModuleType:
        name = file.stem if file.stem not in sys.modules else _long_name(file)
        source = file.read_bytes()
        loader = _SourceLoader(name, file, source)
        spec = importlib.util.spec_from_file_location(name, file, loader=loader)
        if spec is None:
            raise ImportError(f"{file} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        before = set(self.loaded)
        self.loaded[name] = _Loaded(module, file, hashlib.sha256(source).digest())
        sys.modules[name] = module
        importlib.invalidate_caches()
        try:
            with _without([each for each in _FOLDERS.values() if each.added and each is not self]):
                loader.exec_module(module)
        except BaseException:
            self.note_neighbours()
            self.forget(*set(self.loaded).difference(before))
            raise
        self.note_neighbours()
        return module


@contextmanager
def _without(folders: Sequence[_Folder]) -> Iterator[None]:
    """Imports find nothing of these folders meanwhile, imported before or not."""
    loaded = {name: each.module for folder in folders for name, each in folder.loaded.items()}
    hidden = {name: module for name, module in loaded.items() if sys.modules.get(name) is module}
    for name in hidden:
        del sys.modules[name]
    paths = {str(folder.path) for folder in folders}
    away = [entry for entry in sys.path if entry in paths]
    sys.path[:] = [entry for entry in sys.path if entry not in paths]
    try:
        yield
    finally:
        for name, module in hidden.items():
            sys.modules.setdefault(name, module)
        sys.path.extend(away)


class _SourceLoader(SourceFileLoader):
    """Runs the text that was read: bytecode on disk takes an edit in the same second for none."""

    def __init__(self, name: str, file: Path, source: bytes) -> None:
        super().__init__(name, str(file))
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - of the base class
        code: CodeType = self.source_to_code(self._source, self.path)
        return code


_FOLDERS: dict[Path, _Folder] = {}


def load_file(file: Path) -> ModuleType:
    """The module of a resolved path; running it may raise anything."""
    with _LOCK:
        folder = _enter(file.parent)
        return folder.module_of(file) or folder.adopt(file) or folder.execute(file)


def _enter(path: Path) -> _Folder:
    """Let imports find what is in this folder, as it is now."""
    known = _FOLDERS.get(path)
    if known is not None:
        known.note_neighbours()
        if not all(each.is_as_executed() for each in known.loaded.values()):
            known.forget(*known.loaded)
    for other in _FOLDERS.values():
        if other.path != path:
            other.note_neighbours()
            other.make_way(path)
    if known is None:
        roots = frozenset(name.partition(".")[0] for name in sys.modules)
        known = _FOLDERS[path] = _Folder(path, roots, added=str(path) not in sys.path)
    sys.modules.update({name: each.module for name, each in known.loaded.items()})
    if sys.path[0] != str(path):
        sys.path[:] = [str(path), *(entry for entry in sys.path if entry != str(path))]
    return known


def _lies_in(module: ModuleType | None, folder: Path) -> bool:
    own = getattr(module, "__dict__", {})
    places = [*(own.get("__path__") or ()), own.get("__file__")]
    return any(place is not None and Path(place).parent == folder for place in places)


def _file_of_module(module: ModuleType) -> Path | None:
    file = getattr(module, "__dict__", {}).get("__file__")
    return None if file is None else Path(file).resolve()


def _digest(file: Path) -> bytes | None:
    return hashlib.sha256(file.read_bytes()).digest() if file.is_file() else None


def _forget_bytecode(file: Path) -> None:
    """Of a neighbour: Python tells it by size and second, and an edit may keep both."""
    Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


def _long_name(file: Path) -> str:
    return f"autoprune_user_{file.stem}_{hashlib.sha256(os.fsencode(file)).hexdigest()[:8]}"
