"""What a state must be before a searcher goes on from it: its own, whole and of a known version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from searchers.contract import MisuseError, Problem, SearcherState, Suggestion


@dataclass(frozen=True)
class Calls:
    """Which calls a searcher has had.

    Args:
        asked: suggestions made.
        counted: those of them that count as trials.
        pending: id -> suggestion not told yet.
    """

    asked: int
    counted: int
    pending: dict[int, Suggestion]


def check_origin(state: SearcherState, name: str, version: int, problem: Problem) -> None:
    """Refuse a state of another searcher, version or problem with a MisuseError."""
    if state.searcher != name:
        _refuse("searcher", state.searcher, name)
    if not isinstance(state.version, int):
        _refuse("version", state.version, version)
    if state.version > version:
        raise MisuseError(
            f"cannot restore: the state of {name!r} is of version {state.version}, newer than the "
            f"version {version} that is known here: a newer version of autoprune, or of the "
            f"package that adds {name!r}, wrote it; update it"
        )
    if state.version < version:
        _refuse("version", state.version, version)
    if state.problem != problem.fingerprint:
        _refuse("problem", state.problem, problem.fingerprint)


def calls_of(state: SearcherState, problem: Problem, seed: int) -> Calls:
    """The part of a state that every searcher has.

    Raises:
        MisuseError: it is of another seed, or its numbers contradict each other.
        Exception: something is missing or of another kind.
    """
    common: Any = state.values["common"]
    if common["seed"] != seed:
        _refuse("seed", common["seed"], seed)
    pending = [
        Suggestion(entry["id"], tuple(entry["widths"]), entry["purpose"], entry["start_from"])
        for entry in common["pending"]
    ]
    calls = Calls(common["asked"], common["counted"], {said.id: said for said in pending})
    for said in pending:
        problem.check_legal(said.widths)
    ids = [said.id for said in pending]
    if not 0 <= calls.counted <= min(calls.asked, problem.trials):
        raise MisuseError(
            f"the state is damaged: {calls.counted} trials of {calls.asked} suggestions, where "
            f"{problem.trials} trials are allowed"
        )
    if len(set(ids)) < len(ids) or not all(0 <= key < calls.asked for key in ids):
        raise MisuseError(
            f"the state is damaged: suggestions {ids} are pending, of {calls.asked} that were made"
        )
    return calls


def stored(
    arrays: Mapping[str, npt.NDArray[np.generic]],
    name: str,
    shape: tuple[int | None, ...],
    dtype: type[np.generic] = np.float64,
) -> npt.NDArray[Any]:
    """An array of a state, once it is there and of the shape and kind that it must have.

    Args:
        arrays: of the state.
        name: which of them.
        shape: None stands for any length.
        dtype: what it is read as.

    Raises:
        MisuseError: it is missing, or of another shape or kind.
    """
    if name not in arrays:
        raise MisuseError(f"the array {name!r} is missing")
    array = np.asarray(arrays[name])
    fits = len(array.shape) == len(shape) and all(
        length in (None, found) for length, found in zip(shape, array.shape, strict=True)
    )
    if not fits or not np.can_cast(array.dtype, dtype, "same_kind"):
        expected = ", ".join("any" if length is None else str(length) for length in shape)
        raise MisuseError(
            f"the array {name!r} must have shape ({expected}) and hold {np.dtype(dtype).name}, "
            f"got {array.shape} of {array.dtype}"
        )
    return array.astype(dtype, copy=False)


def damage(error: Exception) -> MisuseError:
    """The error to raise where reading a state raised ``error``."""
    if isinstance(error, MisuseError):
        said = str(error).removeprefix("cannot restore: ")
        return MisuseError(f"cannot restore: {said}")
    what = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
    return MisuseError(
        f"cannot restore: the state is damaged ({type(error).__name__}: {what}); take an earlier "
        "state, or tell a new searcher the history"
    )


def _refuse(what: str, got: object, expected: object) -> None:
    raise MisuseError(
        f"cannot restore: the state's {what} is {got!r}, this searcher's is {expected!r}"
    )
