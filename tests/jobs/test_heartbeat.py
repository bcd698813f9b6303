"""The heartbeat of a lease: what cannot starve it, and what ends it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import cheap_job
import cheap_worker
import pytest
from cheap_worker import wait_until

from autoprune.jobs import lease as leases
from autoprune.trials.store import TrialStore

WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["cheap_worker", "torch", "optuna"])


def queue(store: TrialStore) -> str:
    return cheap_job.create(store, "random", 10, priority=0)


def test_a_driver_that_holds_the_interpreters_lock_keeps_its_job(
    tmp_path: Path, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread would not: it does not run until the step has ended."""
    monkeypatch.setattr(leases, "LEASE_S", 2.0)
    store = cheap_job.open_store(tmp_path, url)
    job = queue(store)
    lease = leases.acquire(store, job)
    with leases.heartbeat(store, lease):
        taken = WARM.Process(target=cheap_worker.claim_process, args=(tmp_path, url, job, 4.0))
        taken.start()
        cheap_worker.hold_the_lock(5.0)
        taken.join()
    assert taken.exitcode == 0, "another driver could take the job"
    store.commit(lease)


def test_a_heartbeat_ends_with_its_driver_and_never_outlives_it(tmp_path: Path) -> None:
    store = cheap_job.open_store(tmp_path)
    job = queue(store)
    ours, theirs = WARM.Pipe()
    driver = WARM.Process(target=cheap_worker.beat_process, args=(tmp_path, job, theirs))
    driver.start()
    keeper = ours.recv()
    assert alive(keeper)
    driver.kill()
    driver.join()
    wait_until(lambda: not alive(keeper), 5.0)


def test_a_heartbeat_that_is_killed_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 6.0)
    monkeypatch.setattr(leases, "_AGAIN_S", 0.05)
    store = cheap_job.open_store(tmp_path)
    lease = leases.acquire(store, queue(store))
    with leases.heartbeat(store, lease):
        (keeper,) = cheap_worker.heartbeats_of(os.getpid())
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: cheap_worker.heartbeats_of(os.getpid()) not in ([], [keeper]))
        time.sleep(7.0)
        assert store.holder(lease.job) == lease.owner
    assert cheap_worker.heartbeats_of(os.getpid()) == []


def test_the_lease_of_a_driver_that_is_stopped_expires(tmp_path: Path) -> None:
    """It does nothing: another driver may go on with the job."""
    store = cheap_job.open_store(tmp_path)
    job = queue(store)
    ours, theirs = WARM.Pipe()
    driver = WARM.Process(target=cheap_worker.beat_process, args=(tmp_path, job, theirs, 1.0))
    driver.start()
    ours.recv()
    time.sleep(3.0)
    assert store.holder(job) is not None
    os.kill(driver.pid or 0, signal.SIGSTOP)
    wait_until(lambda: store.holder(job) is None, 10.0)
    driver.kill()
    driver.join()


def test_a_heartbeat_ends_when_its_lease_is_lost(
    tmp_path: Path, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 1.0)
    store = cheap_job.open_store(tmp_path, url)
    lease = leases.acquire(store, queue(store))
    with leases.heartbeat(store, lease):
        wait_until(lambda: cheap_worker.heartbeats_of(os.getpid()) != [])
        store.acquire(lease.job, "another", 60.0, steal=True)
        wait_until(lambda: cheap_worker.heartbeats_of(os.getpid()) == [])
        time.sleep(1.5)
        assert cheap_worker.heartbeats_of(os.getpid()) == [], "it is not started again"
    assert store.holder(lease.job) == "another"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[-1].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_forked_meanwhile_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """It holds a copy of the pipe that the heartbeat's orders come from."""
    store = cheap_job.open_store(tmp_path)
    lease = leases.acquire(store, queue(store))
    with leases.heartbeat(store, lease):
        wait_until(lambda: cheap_worker.heartbeats_of(os.getpid()) != [])
        forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        forked.start()
        begun = time.monotonic()
    took_s = time.monotonic() - begun
    forked.kill()
    forked.join()
    assert took_s < leases._ENDING_S
