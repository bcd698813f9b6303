"""The schedules a searcher has asked about, so that it can prefer new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from searchers.contract import IntArray
from searchers.restoring import stored


class Seen:
    """A set of schedules that remembers its order and travels as one array."""

    def __init__(self, rows: Iterable[Iterable[int]] = ()) -> None:
        self._rows: dict[tuple[int, ...], None] = dict.fromkeys(
            tuple(int(width) for width in row) for row in rows
        )

    def __contains__(self, widths: Iterable[int]) -> bool:
        return tuple(int(width) for width in widths) in self._rows

    def add(self, widths: npt.ArrayLike) -> None:
        """Remember a schedule, [G]."""
        self._rows[tuple(int(width) for width in np.asarray(widths))] = None

    @classmethod
    def stored(cls, arrays: Mapping[str, npt.NDArray[np.generic]], groups: int) -> Seen:
        """The inverse of :meth:`array`, read from the array ``seen`` of a searcher's state."""
        return cls(stored(arrays, "seen", (None, groups), np.int64))

    def array(self, groups: int) -> IntArray:
        """The distinct schedules in the order they came, [n, groups]."""
        return np.array(list(self._rows), dtype=np.int64).reshape(-1, groups)
