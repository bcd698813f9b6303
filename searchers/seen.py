"""The schedules a searcher has asked about, so that it can prefer new ones."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from searchers.contract import IntArray
from searchers.restoring import stored


class Seen:
    """A set of schedules that remembers its order and travels as one array."""

    def __init__(self) -> None:
        # A row's bytes: a job may have 100,000 of them, and they become an array in one step.
        self._rows: dict[bytes, None] = {}

    def __contains__(self, widths: npt.ArrayLike) -> bool:
        return _key(widths) in self._rows

    def add(self, widths: npt.ArrayLike) -> None:
        """Remember a schedule, [G]."""
        self._rows[_key(widths)] = None

    def update(self, rows: Iterable[Iterable[int]]) -> None:
        """Remember schedules, [G] each, in their order."""
        # For whole numbers of Python this is several times as fast as numpy.
        self._rows.update(dict.fromkeys(array("q", row).tobytes() for row in rows))

    @classmethod
    def stored(cls, arrays: Mapping[str, npt.NDArray[np.generic]], groups: int) -> Seen:
        """The inverse of :meth:`array`, read from the array ``seen`` of a searcher's state."""
        found = cls()
        content = stored(arrays, "seen", (None, groups), np.int64).tobytes()
        size = groups * np.dtype(np.int64).itemsize
        found._rows = dict.fromkeys(
            content[start : start + size] for start in range(0, len(content), size)
        )
        return found

    def array(self, groups: int) -> IntArray:
        """The distinct schedules in the order they came, [n, groups]."""
        rows = np.frombuffer(b"".join(self._rows), dtype=np.int64)
        return rows.reshape(-1, groups).copy()  # what numpy reads off bytes cannot be written


def _key(widths: npt.ArrayLike) -> bytes:
    return np.asarray(widths, dtype=np.int64).tobytes()
