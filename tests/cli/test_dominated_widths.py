"""A search leaves out widths that a wider one is as fast as, and finds the same again later."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_program import NETWORK, QUICK, FinishedJob, expect_done, run_program

from latency_tables import Entry, Operator, Table, fit, load, save


def slow_at_48(op: Operator) -> float:
    """Seconds of an operator that costs more at 48 channels than at 64."""
    cost = {48: 70}
    return (
        1e-7 * cost.get(op.in_channels, op.in_channels) * cost.get(op.out_channels, op.out_channels)
    )


@pytest.fixture(scope="module")
def stairs(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network's table with a step in it, with the calibration of a perfect sum."""
    measured, calibrations = load(table)
    entries = tuple(
        Entry(entry.operator, replace(entry.sample, median_s=slow_at_48(entry.operator)))
        for entry in measured.entries
    )
    made = Table(measured.context, entries, {"name": "made up"})
    path = tmp_path_factory.mktemp("stairs") / "stairs.json"
    seconds = [1.3e-3, 1e-3, 5e-4, 2e-4, 1e-4]
    save(path, made, [fit(made.hash, calibrations[0].network, seconds, seconds, 0.0)])
    return path


def choices(db: Path) -> list[list[int]]:
    with sqlite3.connect(db) as connection:
        rows = connection.execute(
            "SELECT json_extract(value, '$.choices') FROM jobs, json_each(jobs.what, '$.groups')"
        )
        return [[int(width) for width in row[0].strip("[]").split(",")] for row in rows]


def searched(folder: Path, stairs: Path, *more: str) -> FinishedJob:
    words = ("search", *NETWORK, "--table", stairs, *QUICK, "--budget", "65%", "--db", "jobs.db")
    said = run_program(*words, "--out", "bundle", "--unmeasured", "--json", *more, folder=folder)
    return FinishedJob(folder, expect_done(said))


def test_a_search_leaves_them_out_names_them_and_can_be_exported_again(
    stairs: Path, tmp_path: Path
) -> None:
    job = searched(tmp_path, stairs)
    assert choices(job.db) == [[16, 32, 64]] * 3
    assert "3 widths in 3 groups are left out" in job.said.err
    assert "free channels: first.0: 48 costs more than 64" in job.said.err
    trials = job.run("trials", job.job, "--json").json
    assert not any(48 in trial["widths"].values() for trial in trials)
    expect_done(job.run("export", job.job, "--out", tmp_path / "again"))


def test_they_stay_where_that_is_asked_for(stairs: Path, tmp_path: Path) -> None:
    job = searched(tmp_path, stairs, "--set", "keep_dominated=true")
    assert choices(job.db) == [[16, 32, 48, 64]] * 3
    assert "left out" not in job.said.err


def test_they_stay_where_something_else_is_bounded_too(stairs: Path, tmp_path: Path) -> None:
    job = searched(tmp_path, stairs, "--budget", "params=90%")
    assert choices(job.db) == [[16, 32, 48, 64]] * 3
