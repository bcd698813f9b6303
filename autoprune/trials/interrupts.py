"""Ctrl-C and SIGTERM wait for the end of a transaction."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold a signal's handler back until the block has ended; the second signal is not held back.

    An exception raised by a handler can strike between any two bytecodes, also between taking the
    database's write lock and the code that would give it back: the process would then wait for
    itself. Off the main thread, where no handler runs, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    handlers: dict[signal.Signals, Any] = {}

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            handlers[signal.Signals(number)](number, frame)
        held.append((number, frame))

    for number in SIGNALS:
        if callable(signal.getsignal(number)):
            handlers[number] = signal.signal(number, hold)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if held:
            handlers[signal.Signals(held[0][0])](*held[0])
