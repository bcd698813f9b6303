"""The program as real processes, to be interrupted and killed."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from child_processes import children_of

PATIENCE_S = 120.0


def start(folder: Path, *words: str | Path) -> subprocess.Popen[str]:
    """`autoprune WORDS...` as the leader of a process group of its own."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("autoprune"), *map(str, words)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
        preexec_fn=_heed_interrupts,
    )


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finished_trials(db: Path) -> int:
    """Trials that have a result."""
    return int(_one(db, "SELECT count(*) FROM trials WHERE state != 'asked'") or 0)


def job_of(db: Path) -> str:
    return str(_one(db, "SELECT id FROM jobs"))


def measured_operators(db: Path) -> int:
    """Operators whose latency is stored."""
    return int(_one(db, "SELECT count(*) FROM table_entries") or 0)


def _one(db: Path, query: str) -> Any:
    if not db.exists():
        return None
    try:
        connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return None
    try:
        row = connection.execute(query).fetchone()
    except sqlite3.OperationalError:
        return None  # the tables are not there yet
    finally:
        connection.close()
    return None if row is None else row[0]


def wait_for_trials(db: Path, count: int, driver: subprocess.Popen[str]) -> bool:
    """Until ``count`` trials have a result; False when the driver ended first."""
    deadline = time.monotonic() + PATIENCE_S
    while finished_trials(db) < count:
        if driver.poll() is not None:
            return False
        assert time.monotonic() < deadline, "no trial was finished in time"
        time.sleep(0.01)
    return driver.poll() is None


def workers_of(driver: subprocess.Popen[str]) -> list[int]:
    """The processes that score trials: children of the driver's fork server."""
    return [worker for server in children_of(driver.pid) for worker in children_of(server)]


def interrupt(
    driver: subprocess.Popen[str], number: signal.Signals, group: bool
) -> tuple[str, str]:
    """Send a signal as a terminal (to the group) or `kill` (to the driver) does; what it said."""
    if group:
        os.killpg(driver.pid, number)
    else:
        driver.send_signal(number)
    return driver.communicate(timeout=PATIENCE_S)


def words_of(command: str) -> list[str]:
    """A command line as the words after the program's name."""
    program, *words = shlex.split(command)
    assert program == "autoprune"
    return words
