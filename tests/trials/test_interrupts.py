"""Ctrl-C in the middle of a transaction."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoprune.trials.database import Database
from autoprune.trials.engine import connect
from autoprune.trials.interrupts import uninterrupted


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """A shell starts what runs in the background with Ctrl-C ignored: not in these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupted(times: int, steps: list[str]) -> None:
    with uninterrupted():
        steps.append("begun")
        for _ in range(times):
            interrupt()
        steps.append("ended")


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(1, steps)
    assert steps == ["begun", "ended"]


def test_the_second_interrupt_does_not_wait() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(2, steps)
    assert steps == ["begun"]


def test_an_error_in_the_block_does_not_swallow_the_interrupt() -> None:
    def fail() -> None:
        with uninterrupted():
            interrupt()
            raise RuntimeError("the disk is full")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_are_left_alone() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_transaction_is_kept_whole_and_the_next_one_finds_no_lock(tmp_path: Path) -> None:
    database = Database(connect(str(tmp_path / "jobs.db")))

    def write() -> None:
        with database.write() as session:
            connection = session.connection()
            connection.exec_driver_sql("CREATE TABLE notes (text)")
            interrupt()
            connection.exec_driver_sql("INSERT INTO notes VALUES ('kept')")

    with pytest.raises(KeyboardInterrupt):
        write()
    with database.write() as session:
        rows = session.connection().exec_driver_sql("SELECT text FROM notes").all()
    assert [row.text for row in rows] == ["kept"]
