"""`autoprune search --from JOB`: another budget from the evaluations of a job, trained no further."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_program import FinishedJob, Said, expect_done, run_program, snapshot

TIGHTER = ("--budget", "50%")


@pytest.fixture
def copied(finished: FinishedJob, tmp_path: Path) -> FinishedJob:
    """The finished job in a folder that may be changed."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    return FinishedJob(tmp_path / "copy", finished.said)


def answered(job: FinishedJob, *words: str) -> dict[str, Any]:
    said = job.run("search", "--from", job.job, *words, "--json")
    return dict(expect_done(said).json)


def test_the_answer_meets_the_other_budget_and_writes_nothing(
    finished: FinishedJob, no_long_work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoprune.composition.jobs.make_executor", _refuse)
    before = snapshot(finished.folder)
    shown = answered(finished, *TIGHTER)
    assert snapshot(finished.folder) == before
    base_s = finished.shown["base"]["measured_latency_s"]
    assert shown["predicted_latency_s"] <= 0.5 * base_s
    assert shown["latency_fraction"] == pytest.approx(shown["predicted_latency_s"] / base_s)
    assert (shown["from"], shown["budget"], shown["evaluations"]) == (finished.job, ["50%"], 4)


def _refuse(*_args: object) -> None:
    raise AssertionError("something was evaluated")
