"""A state as it is stored: JSON and an npz file, without pickle."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from searchers.contract import SearcherState


def packed(state: SearcherState) -> tuple[str, bytes]:
    """JSON without NaN, and arrays without pickle; whatever needs either raises."""
    assert all(array.dtype != object for array in state.arrays.values())
    header = {**asdict(replace(state, values={}, arrays={})), "values": dict(state.values)}
    file = io.BytesIO()
    arrays: dict[str, Any] = dict(state.arrays)
    np.savez(file, allow_pickle=False, **arrays)
    return json.dumps(header, allow_nan=False), file.getvalue()


def unpacked(header: str, arrays: bytes) -> SearcherState:
    """The inverse of :func:`packed`."""
    with np.load(io.BytesIO(arrays), allow_pickle=False) as file:
        return SearcherState(**{**json.loads(header), "arrays": dict(file)})
