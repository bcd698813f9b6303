"""Workers as real processes on real databases: order, failures, kills, signals, take-over."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cheap_job
import cheap_worker
import pytest
from cheap_worker import CheapWork, wait_until

from autoprune.trials.records import JobState
from autoprune.trials.store import TrialStore

WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["cheap_worker", "torch", "optuna"])
TRIALS = 30
Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts worker processes; kills those that are left."""
    started: list[Any] = []

    def begin(
        url: str | None = None, until: str = "stopped", method: str = "fork", **work: Any
    ) -> Any:
        arguments = (CheapWork(tmp_path, url=url, **work), until, "test", method)
        process = WARM.Process(target=cheap_worker.work_process, args=arguments)
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.join()


def queue(store: TrialStore, seed: int, priority: int = 0, environment: str = "test") -> str:
    return cheap_job.create(
        store, "random", TRIALS, seed, priority=priority, environment=environment
    )


def digest_alone(folder: Path, seed: int) -> str:
    folder.mkdir()
    job = cheap_job.create(cheap_job.open_store(folder), "random", TRIALS, seed)
    return cheap_job.drive(folder, job, recipe=cheap_job.CheapRecipe(0.0))


def told(store: TrialStore, job: str) -> int:
    return sum(trial.state == "told" for trial in store.trials(job))


def states(store: TrialStore, job: str) -> list[JobState]:
    return [e.payload["state"] for e in store.events(job) if e.kind == "state"]


def begun(store: TrialStore, jobs: list[str]) -> list[str]:
    """The jobs in the order in which they were first taken."""
    first = {job: e.at for job in jobs for e in store.events(job)[:1]}
    return sorted(jobs, key=lambda job: first[job])


def test_one_worker_drains_the_queue_by_priority_and_goes_on_after_a_job_that_fails(
    tmp_path: Path, url: str | None, start: Start
) -> None:
    store = cheap_job.open_store(tmp_path, url)
    late, broken, soon = queue(store, 0), queue(store, 1, 5), queue(store, 2, 1)
    own = cheap_job.create(store, "random", TRIALS)
    elsewhere = queue(store, 3, 9, environment="another machine")
    worker = start(url, "empty", broken=broken)
    worker.join(60)
    assert worker.exitcode == 0
    assert begun(store, [late, soon, broken]) == [broken, soon, late]
    assert store.job(broken).state == "failed"
    assert store.job(broken).error == "ModuleNotFoundError: no module of that name here"
    assert [store.job(job).state for job in (late, soon)] == ["finished", "finished"]
    assert [store.job(job).state for job in (own, elsewhere)] == ["queued", "queued"]
    assert store.job(elsewhere).epoch == 0, "it was left to a worker that can run it"
    assert cheap_job.digest(tmp_path, late, url) == digest_alone(tmp_path / "alone", 0)


def test_one_job_at_most(tmp_path: Path, start: Start) -> None:
    store = cheap_job.open_store(tmp_path)
    jobs = [queue(store, seed) for seed in range(2)]
    for finished in (["finished", "queued"], ["finished", "finished"]):
        worker = start(until="one")
        worker.join(60)
        assert worker.exitcode == 0
        assert [store.job(job).state for job in jobs] == finished
    empty = start(until="one")
    empty.join(60)
    assert empty.exitcode == 0


def test_several_workers_of_which_one_is_killed_leave_every_digest(
    tmp_path: Path, url: str | None, start: Start
) -> None:
    store = cheap_job.open_store(tmp_path, url)
    jobs = [queue(store, seed, priority=seed) for seed in range(4)]
    victim = start(url, pause_s=0.01, method="forkserver")
    wait_until(lambda: told(store, jobs[3]) >= 5)
    victim.kill()
    victim.join()
    assert store.job(jobs[3]).state == "running"
    others = [start(url, "empty", pause_s=0.01) for _ in range(2)]
    for worker in others:
        worker.join(60)
        assert worker.exitcode == 0
    assert [store.job(job).state for job in jobs] == ["finished"] * 4
    assert store.job(jobs[3]).epoch == 2
    assert sorted(begun(store, jobs)[:1]) == [jobs[3]]
    for seed, job in enumerate(jobs):
        alone = digest_alone(tmp_path / f"alone {seed}", seed)
        assert cheap_job.digest(tmp_path, job, url) == alone


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_worker_that_is_told_to_stop_gives_its_job_to_the_next_one(
    tmp_path: Path, url: str | None, start: Start, number: signal.Signals, code: int
) -> None:
    store = cheap_job.open_store(tmp_path, url)
    job = queue(store, 0)
    worker = start(url, pause_s=0.05)
    wait_until(lambda: told(store, job) >= 3)
    since = time.monotonic()
    os.kill(worker.pid, number)
    worker.join(30)
    assert time.monotonic() - since < 5.0
    assert worker.exitcode == code
    assert (store.job(job).state, store.holder(job)) == ("queued", None)
    assert 3 <= told(store, job) < TRIALS
    start(url, "empty").join(60)
    assert states(store, job) == ["running", "queued", "running", "finished"]
    assert cheap_job.digest(tmp_path, job, url) == digest_alone(tmp_path / "alone", 0)


def start_deaf(store: TrialStore, job: str, start: Start) -> Any:
    """A worker in the middle of a job that hears nothing."""
    worker = start(deaf=True)
    wait_until(lambda: store.job(job).state == "running")
    time.sleep(1.0)
    return worker


def test_a_worker_stops_although_its_job_hears_nothing(tmp_path: Path, start: Start) -> None:
    store = cheap_job.open_store(tmp_path)
    job = queue(store, 0)
    worker = start_deaf(store, job, start)
    since = time.monotonic()
    worker.terminate()
    worker.join(30)
    assert time.monotonic() - since < 5.0
    assert (worker.exitcode, store.job(job).state) == (0, "queued")


def test_the_second_signal_ends_a_worker_at_once_and_its_job_with_it(
    tmp_path: Path, start: Start
) -> None:
    store = cheap_job.open_store(tmp_path)
    job = queue(store, 0)
    worker = start_deaf(store, job, start)
    since = time.monotonic()
    worker.terminate()
    time.sleep(0.2)
    worker.terminate()
    worker.join(30)
    assert time.monotonic() - since < 1.5
    assert worker.exitcode == 128 + signal.SIGTERM
    assert store.job(job).state == "running"
    start(until="empty").join(60)
    assert store.job(job).state == "finished", "the next worker of this host sees that it is gone"


def test_an_idle_worker_stops_at_once(tmp_path: Path, start: Start) -> None:
    store = cheap_job.open_store(tmp_path)
    job = queue(store, 0)
    worker = start()
    wait_until(lambda: store.job(job).state == "finished")
    time.sleep(0.5)
    worker.terminate()
    worker.join(5)
    assert worker.exitcode == 0


@pytest.mark.parametrize("desired", ["paused", "cancelled"])
def test_a_job_stopped_by_a_wish_goes_on_to_the_same_digest(
    tmp_path: Path, url: str | None, start: Start, desired: JobState
) -> None:
    store = cheap_job.open_store(tmp_path, url)
    job, other = queue(store, 0, priority=1), queue(store, 1)
    worker = start(url, "empty", pause_s=0.02)
    wait_until(lambda: told(store, job) >= 3)
    assert store.request_state(job, desired) == "running"
    worker.join(60)
    assert worker.exitcode == 0
    assert store.job(job).state == desired
    assert told(store, job) < TRIALS
    assert store.job(other).state == "finished", "the worker went on with the next"
    store.queue_job(job, 0, store.job(job).how)
    start(url, "empty").join(60)
    assert states(store, job) == ["running", desired, "queued", "running", "finished"]
    assert cheap_job.digest(tmp_path, job, url) == digest_alone(tmp_path / "alone", 0)


def test_a_job_that_loses_its_process_again_and_again_is_failed(
    tmp_path: Path, start: Start
) -> None:
    store = cheap_job.open_store(tmp_path)
    job = queue(store, 0)
    worker = start(until="empty", fatal=True)
    worker.join(60)
    assert worker.exitcode == 0
    assert store.job(job).state == "failed"
    assert "lost 3 times without a new trial" in str(store.job(job).error)


def test_a_job_whose_lease_expires_is_taken_from_a_machine_that_is_gone(
    tmp_path: Path, url: str | None, start: Start
) -> None:
    store = cheap_job.open_store(tmp_path, url)
    job = queue(store, 0)
    lease = store.claim(job, "another host/1/1/x", 60.0)
    assert lease is not None
    start(url, "empty").join(60)
    assert store.job(job).state == "running", "while the lease lasts, nobody else takes it"
    store.renew(lease, 0.0)
    start(url, "empty").join(60)
    assert store.job(job).state == "finished"
