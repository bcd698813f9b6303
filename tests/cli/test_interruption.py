"""Ctrl-C and SIGTERM: exit code 130, and the last line resumes the job to the same digest."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from real_processes import interrupt, start, wait_for_trials, words_of
from tiny_program import Said, expect_done, run_program

Tiny = tuple[str, ...]
LONGER = ("--trials", "16", "--steps", "20", "--budget", "65%", "--finetune-epochs", "0")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> str:
    folder = tmp_path_factory.mktemp("uninterrupted")
    said = run_program("search", *tiny, *LONGER, "--json", folder=folder)
    return str(expect_done(said).json["digest"])


@pytest.mark.parametrize(
    ("number", "workers", "group"),
    [(signal.SIGINT, 2, True), (signal.SIGTERM, 1, False)],
    ids=["ctrl-c in a terminal", "kill"],
)
def test_an_interrupted_search_says_how_to_resume_it(
    number: signal.Signals,
    workers: int,
    group: bool,
    tmp_path: Path,
    tiny: Tiny,
    uninterrupted: str,
) -> None:
    db = tmp_path / "my jobs.db"  # a name that a shell would take apart
    driver = start(
        tmp_path, "search", *tiny, *LONGER, "--json", "--db", db, "--workers", str(workers)
    )
    assert wait_for_trials(db, 3, driver)
    out, err = interrupt(driver, number, group)
    assert driver.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    last = err.rstrip().splitlines()[-1]
    assert last.startswith("autoprune resume ")
    (row,) = run_program("jobs", "--db", db, "--json", folder=tmp_path).json
    assert row["state"] == "paused"
    shown = run_program("show", row["job"], "--db", db, "--json", folder=tmp_path).json
    assert shown["best"]["score"] is not None
    said = run_program(*words_of(last), "--workers", "1", "--json", folder=tmp_path)
    assert expect_done(said).json["digest"] == uninterrupted


def test_an_interruption_before_the_job_exists_ends_quietly(
    program: Callable[..., Said], tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("autoprune.jobs.devices.from_file", interrupted)
    said = program("search", *tiny, "--budget", "65%")
    assert said.code == 130
    assert "nothing to resume" in said.err
    assert list(tmp_path.iterdir()) == []
