"""P2 with the real evaluator: killed at random moments, a search ends with the same digest."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from real_processes import finished_trials, job_of, start, wait_for_trials, workers_of
from tiny_program import expect_done, run_program

Tiny = tuple[str, ...]
SEARCHERS = ("amc", "netadapt", "legr", "tpe", "uniform", "random")
LONGER = ("--trials", "24", "--steps", "12", "--budget", "65%", "--finetune-epochs", "1")


def digest_of_an_uninterrupted_run(folder: Path, words: Tiny) -> str:
    said = run_program("search", *words, "--workers", "1", "--json", folder=folder)
    return str(expect_done(said).json["digest"])


def kill_something(driver: subprocess.Popen[str], rng: random.Random) -> str:
    """Kill a worker, the driver alone, or its whole group; says which."""
    victim = rng.choice(["worker", "worker", "driver", "group"])
    workers = workers_of(driver)
    try:
        if victim == "group":
            os.killpg(driver.pid, signal.SIGKILL)
        elif victim == "worker" and workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
        else:
            driver.kill()
    except ProcessLookupError:
        return "nothing"
    return victim


def killed_and_resumed(
    folder: Path, words: Tiny, workers: int, kills: int, rng: random.Random
) -> tuple[str, int]:
    """Drive one job through ``kills`` SIGKILLs; returns its digest and the kills that hit."""
    db, hits = folder / "killed.db", 0
    command: tuple[str, ...] = ("search", *words, "--workers", str(workers), "--db", str(db))
    while True:
        driver = start(folder, *command)
        while hits < kills and wait_for_trials(db, finished_trials(db) + 1, driver):
            time.sleep(rng.uniform(0.0, 0.15))
            hits += kill_something(driver, rng) != "nothing"
            if hits < kills and driver.poll() is None:
                time.sleep(0.02)
        _out, err = driver.communicate()
        if driver.returncode == 0:
            break
        assert driver.returncode == -signal.SIGKILL, err
        command = ("resume", job_of(db), "--workers", str(workers), "--db", str(db))
    said = run_program("show", job_of(db), "--db", db, "--json", folder=folder)
    return str(said.json["digest"]), hits


def test_a_worker_a_driver_and_a_group_killed_leave_the_digest_of_an_uninterrupted_run(
    tmp_path: Path, tiny: Tiny
) -> None:
    words = (*tiny, *LONGER, "--searcher", "netadapt")
    expected = digest_of_an_uninterrupted_run(tmp_path, words)
    found, hits = killed_and_resumed(tmp_path, words, workers=2, kills=3, rng=random.Random(14))
    assert hits == 3
    assert found == expected


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("searcher", SEARCHERS)
def test_every_searcher_survives_kills(
    tmp_path: Path, tiny: Tiny, searcher: str, workers: int
) -> None:
    words = (*tiny, *LONGER, "--searcher", searcher)
    expected = digest_of_an_uninterrupted_run(tmp_path, words)
    rng = random.Random(f"{searcher} {workers}")
    found, hits = killed_and_resumed(tmp_path, words, workers, kills=5, rng=rng)
    assert hits == 5 or searcher == "uniform"  # which has one trial
    assert found == expected
