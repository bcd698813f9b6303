"""A measurement that is killed goes on where it was."""

from __future__ import annotations

import signal
import sqlite3
import time
from pathlib import Path

from real_processes import PATIENCE_S, measured_operators, start
from tiny_program import TINY, expect_done, run_program

from latency_tables import load


def stored_entries(db: Path) -> set[tuple[str, str]]:
    """Every operator measured, with the time it was stored at."""
    with sqlite3.connect(db) as connection:
        return set(connection.execute("SELECT operator, created FROM table_entries"))


def test_after_a_kill_nothing_is_measured_twice_and_the_file_is_complete(tmp_path: Path) -> None:
    network = ("--model", f"{TINY}:network", "--input", "1x8x8", "--divisor", "8")
    words = ("latency", "measure", *network, "--out", "tiny.json")
    partial = tmp_path / "tiny.json.part"
    running = start(tmp_path, *words)
    deadline = time.monotonic() + PATIENCE_S
    while measured_operators(partial) < 20:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=PATIENCE_S)
    assert not (tmp_path / "tiny.json").exists()
    before = stored_entries(partial)

    # With the half-measured database named, it stays and shows what was added.
    again = run_program(*words, "--db", partial, folder=tmp_path)
    expect_done(again)
    after = stored_entries(partial)
    table, calibrations = load(tmp_path / "tiny.json")
    assert before < after
    assert len(after) == len(table.entries) > len(before)
    assert len(calibrations) == 1

    # Without, it is the file's own, and goes when the file is there.
    (tmp_path / "tiny.json").unlink()
    expect_done(run_program(*words, folder=tmp_path))
    assert load(tmp_path / "tiny.json") == (table, calibrations)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.json"]
