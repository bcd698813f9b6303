"""One measurement at a time on a host: two at once would measure each other."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

from latency_tables.errors import MeasuringBusyError

_POLL_S = 0.1


def default_lock_path() -> Path:
    """The lock file every user of this host shares."""
    shared = Path("/tmp")
    folder = shared if shared.is_dir() else Path(gettempdir())
    return folder / "autoprune-measuring.lock"


@contextmanager
def measuring_lock(
    timeout_s: float | None = None,
    on_wait: Callable[[], None] | None = None,
    path: Path | None = None,
) -> Iterator[None]:
    """Hold the host's measuring lock; it ends with the process, however that dies.

    Not reentrant: hold it once, around everything that measures.

    Args:
        timeout_s: how long to wait; None waits as long as it takes.
        on_wait: called once if the lock has to be waited for.
        path: another lock file than the host's, for tests.

    Raises:
        MeasuringBusyError: the lock was still held after ``timeout_s`` seconds.
    """
    descriptor = _open(path or default_lock_path())
    try:
        _acquire(descriptor, timeout_s, on_wait)
        try:
            yield
        finally:
            # Closing is not enough: a child forked meanwhile has the descriptor too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # Linux refuses O_CREAT on another user's file in a sticky folder (fs.protected_regular), and
    # flock needs no write access: so open first, and create only what is not there.
    while True:
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            try:
                created = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY | os.O_CLOEXEC, 0o644)
            except FileExistsError:
                continue
            os.fchmod(created, 0o644)
            return created


def _acquire(descriptor: int, timeout_s: float | None, on_wait: Callable[[], None] | None) -> None:
    started = time.monotonic()
    waiting = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - started
            if timeout_s is not None and waited >= timeout_s:
                raise MeasuringBusyError(
                    f"another measurement still ran on this host after {waited:.1f} s: "
                    "wait for it to end, or allow a longer time"
                ) from None
        if on_wait is not None and not waiting:
            on_wait()
        waiting = True
        time.sleep(_POLL_S)
