"""Many writers, and writers that are killed: all of a step is there, or nothing of it."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from autoprune.errors import LeaseLostError
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.records import Checkpoint, NewTrial, TrialResult
from autoprune.trials.store import TrialStore

LOOKAHEAD = 3
WRITERS, WRITES = 8, 50
WARM = multiprocessing.get_context("forkserver")  # a fork would copy locks of other threads


def open_store(url: str, folder: Path) -> TrialStore:
    return TrialStore(connect(url), ArtifactFolder(folder / "artifacts"))


def proposal(index: int) -> NewTrial:
    return NewTrial(index, "candidate", (index,), None, {}, f"key {index}")


def drive(url: str, folder: Path, job: str, said: Connection) -> None:
    """A driver that goes on from wherever the database stands, until it is killed."""
    store = open_store(url, folder)
    lease = store.acquire(job, f"driver {os.getpid()}", 60.0, steal=True)
    trials = store.trials(job)
    if not trials:
        store.commit(lease, asked=[proposal(i) for i in range(LOOKAHEAD)])
    index = sum(trial.state == "told" for trial in trials)
    while True:
        if index >= len(trials) or trials[index].state == "asked":
            weights = store.put_artifact(f"weights {index}".encode() * 1000, "weights")
            store.finish_trial(
                lease, index, TrialResult(index / 3, None, None, 1.0, weights=weights)
            )
        index += 1
        store.commit(
            lease,
            told=[index - 1],
            asked=[proposal(index + LOOKAHEAD - 1)],
            checkpoint=Checkpoint(index, "h", {"n": index}, b"x" * 5000),
            events=[("told", {"trial": index - 1})],
            results={"told": index},
        )
        said.send(index)


def check_whole(store: TrialStore, job: str) -> int:
    """Every commit is there whole; returns how many trials were told."""
    trials = store.trials(job)
    told = [trial for trial in trials if trial.state == "told"]
    assert [trial.index for trial in trials] == list(range(len(trials)))
    assert told == trials[: len(told)]
    assert len(trials) in (0, len(told) + LOOKAHEAD)
    events = [event for event in store.events(job) if event.kind != "state"]
    assert [event.payload["trial"] for event in events] == list(range(len(told)))
    assert store.job(job).results.get("told", 0) == len(told)
    checkpoint = store.checkpoint(job)
    assert (0 if checkpoint is None else checkpoint.tells) == len(told)
    for trial in trials:
        if trial.result is not None:
            assert trial.result.score == trial.index / 3
            assert store.evaluation(trial.evaluation_key) == trial.result
            assert trial.result.weights is not None
            assert store.get_artifact(trial.result.weights)
    return len(told)


def test_a_driver_killed_at_any_moment_leaves_whole_steps(url: str, tmp_path: Path) -> None:
    store = open_store(url, tmp_path)
    job = store.create_job({}, "h", {}, "env", {})
    moments = random.Random(0)
    told = 0
    for _ in range(12):
        hears, says = WARM.Pipe(duplex=False)
        driver = WARM.Process(target=drive, args=(url, tmp_path, job, says), daemon=True)
        driver.start()
        for _ in range(moments.randint(1, 4)):
            assert hears.poll(60)
            acknowledged = hears.recv()
        time.sleep(moments.uniform(0.0, 0.02))
        _kill(driver)
        told, before = check_whole(store, job), told
        assert told >= max(acknowledged, before), "what a commit returned from is there"
    assert told >= 12
    assert store.job(job).epoch == 12


def test_a_driver_that_was_taken_over_stops_and_the_new_one_goes_on(
    url: str, tmp_path: Path
) -> None:
    store = open_store(url, tmp_path)
    job = store.create_job({}, "h", {}, "env", {})
    hears, says = WARM.Pipe(duplex=False)
    old = WARM.Process(target=_drive_until_lost, args=(url, tmp_path, job, says), daemon=True)
    old.start()
    assert hears.recv() == 1
    lease = store.acquire(job, "new", 60.0, steal=True)
    told = check_whole(store, job)
    deadline = time.monotonic() + 10
    while hears.recv() != "lost":
        assert time.monotonic() < deadline, "the old driver goes on writing"
    old.join()
    assert check_whole(store, job) == told, "nothing was written after the take-over"
    store.commit(lease, results={"told": told})


def test_many_processes_write_to_one_database(url: str, tmp_path: Path) -> None:
    with WARM.Pool(WRITERS) as pool:
        arguments = [(url, tmp_path, n) for n in range(WRITERS)]
        jobs = pool.starmap(_write_much, arguments)
    store = open_store(url, tmp_path)
    for job in jobs:
        assert sum(event.kind != "state" for event in store.events(job)) == WRITES
        assert len(store.trials(job)) == WRITES
    assert store.evaluation(f"shared {WRITES - 1}") is not None


def _write_much(url: str, folder: Path, writer: int) -> str:
    store = open_store(url, folder)
    job = store.create_job({}, "h", {}, "env", {})
    lease = store.acquire(job, f"writer {writer}", 60.0)
    for n in range(WRITES):
        store.commit(lease, asked=[proposal(n)], events=[("asked", {"n": n})])
        if n % 10 == 9:
            store.save_evaluation(f"shared {n}", TrialResult(float(n), None, None, 1.0))
    return job


def _drive_until_lost(url: str, folder: Path, job: str, said: Connection) -> None:
    try:
        drive(url, folder, job, said)
    except LeaseLostError:
        said.send("lost")


def _kill(process: BaseProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it was still running"
