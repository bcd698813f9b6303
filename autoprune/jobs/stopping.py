"""SIGTERM and SIGINT as something that a loop waits for, instead of an exception anywhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """The first signal is noted and ends every wait; the second ends the process at once.

    Use as a context manager, in the main thread.

    Args:
        at_once: called before the process ends by the second signal.
    """

    def __init__(self, at_once: Callable[[], None]) -> None:
        self._at_once = at_once
        self._before: dict[signal.Signals, Any] = {}
        self._reader, self._writer = -1, -1
        self.number: int | None = None

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, others: Sequence[Connection | int], timeout_s: float | None = None) -> bool:
        """Wait until one of ``others`` is ready, a signal has come, or the time is over.

        Returns:
            Whether to go on: False after a signal.
        """
        wait([self._reader, *others], timeout_s)
        return self.number is None

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.number is not None:
            self._at_once()
            os._exit(128 + number)
        self.number = number
        os.write(self._writer, b"!")
