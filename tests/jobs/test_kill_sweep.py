"""P2: a job killed at any instant, any number of times, ends with the same digest."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from itertools import cycle
from pathlib import Path
from typing import Any

import cheap_job
import pytest
from child_processes import children_of

SEARCHERS = ("amc", "netadapt", "legr", "tpe", "uniform", "random", "solver")
TRIALS = 60
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(
    ["cheap_job", "torch", "optuna", "searchers.amc", "searchers.tpe", "searchers.solver"]
)


def kill_something(driver: Any, rng: random.Random) -> None:
    """The driver, as often as its heartbeat and one of its workers together."""
    children = children_of(driver.pid)
    victim = rng.choice([driver.pid, driver.pid, *children[:2]])
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return


def sweep(
    folder: Path, searcher: str, workers: tuple[int, ...], kills: int, seed: int
) -> tuple[str, int]:
    """Drive one job through ``kills`` SIGKILLs; returns its digest and the kills that happened.

    Args:
        workers: of the first driver, of the one that goes on after it, and so on, round and round.
    """
    rng = random.Random(seed)
    job = cheap_job.create(cheap_job.open_store(folder), searcher, TRIALS)
    done = 0
    for count in cycle(workers):
        driver = WARM.Process(target=cheap_job.drive_process, args=(folder, job, count, 0.01))
        driver.start()
        while done < kills and driver.is_alive():
            driver.join(rng.uniform(0.02, 0.25))
            if driver.is_alive():
                kill_something(driver, rng)
                done += 1
        driver.join()
        if driver.exitcode == 0:
            return cheap_job.digest(folder, job), done
        assert driver.exitcode == -signal.SIGKILL
    raise AssertionError("no worker counts were given")


def reference(folder: Path, searcher: str) -> str:
    job = cheap_job.create(cheap_job.open_store(folder), searcher, TRIALS)
    return cheap_job.drive(folder, job, recipe=cheap_job.CheapRecipe(0.0))


def rounds(tmp_path: Path, searcher: str, workers: tuple[int, ...], kills: int) -> None:
    """Jobs of one kind, each with a fresh database, until ``kills`` SIGKILLs hit them."""
    expected = reference(fresh(tmp_path / "reference"), searcher)
    done, number = 0, 0
    while done < kills:
        folder = fresh(tmp_path / f"round{number}")
        found, hits = sweep(folder, searcher, workers, min(kills - done, 10), seed=number)
        assert found == expected, f"{searcher} with {workers} workers after {hits} kills"
        done, number = done + hits, number + 1


def fresh(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_ten_kills_leave_the_digest_of_an_uninterrupted_run(tmp_path: Path, searcher: str) -> None:
    rounds(tmp_path, searcher, workers=(1, 2, 4), kills=10)


@pytest.mark.soak
@pytest.mark.parametrize("searcher", SEARCHERS)
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_hundred_kills_leave_the_digest(tmp_path: Path, searcher: str, workers: int) -> None:
    rounds(tmp_path, searcher, (workers,), 100)
