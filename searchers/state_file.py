"""A searcher's state in one file: an npz without pickle, written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from searchers.contract import MisuseError, SearcherState

FORMAT = 1
_HEADER = "header"
_ARRAY = "array."


def write_state(path: Path, state: SearcherState, notes: Mapping[str, object]) -> None:
    """Write a state durably: temporary name, fsync, rename, fsync of the folder.

    Args:
        path: replaced where it exists.
        state: of a searcher.
        notes: JSON values of the caller's own, kept beside it.
    """
    header = {
        "format": FORMAT,
        "searcher": state.searcher,
        "version": state.version,
        "problem": state.problem,
        "values": dict(state.values),
        "notes": dict(notes),
    }
    text = json.dumps(header, allow_nan=False).encode()
    arrays: dict[str, Any] = {_ARRAY + name: array for name, array in state.arrays.items()}
    arrays[_HEADER] = np.frombuffer(text, dtype=np.uint8)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    _write_durably(path, content.getvalue())


def read_state(path: Path) -> tuple[SearcherState, Mapping[str, Any]]:
    """What :func:`write_state` wrote: state and notes.

    Raises:
        MisuseError: the file is none of these, newer, or damaged.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
        version = int(header["format"])
        if version <= FORMAT:
            return _state(header, arrays), header["notes"]
    except Exception as error:  # zip, npy and JSON each have errors of their own
        raise MisuseError(
            f"{path} holds no state of a searcher, or is damaged ({type(error).__name__}: {error})"
        ) from error
    raise MisuseError(
        f"{path} is of format {version}, newer than the format {FORMAT} that is known here: a "
        "newer version of autoprune wrote it; update autoprune"
    )


def _state(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> SearcherState:
    return SearcherState(
        searcher=header["searcher"],
        version=header["version"],
        problem=header["problem"],
        values=header["values"],
        arrays={name.removeprefix(_ARRAY): array for name, array in arrays.items()},
    )


def _write_durably(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
