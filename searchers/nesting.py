"""States of searchers inside the state of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from searchers.base import Arrays
from searchers.contract import SearcherState


def without_arrays(state: SearcherState) -> dict[str, Any]:
    """The JSON half of a member's state."""
    return {
        "searcher": state.searcher,
        "version": state.version,
        "problem": state.problem,
        "values": dict(state.values),
    }


def prefixed_arrays(states: Sequence[SearcherState]) -> Arrays:
    """The arrays of all members, each under its number."""
    return {
        f"{index}.{name}": array
        for index, state in enumerate(states)
        for name, array in state.arrays.items()
    }


def nested(prefix: str, said: Mapping[str, Any], arrays: Arrays) -> SearcherState:
    """A member's state, from its JSON half and the arrays under its prefix."""
    own = {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    return SearcherState(said["searcher"], said["version"], said["problem"], said["values"], own)
