"""Processes that work on cheap jobs: workers, and drivers that hold a lease."""

from __future__ import annotations

import ctypes
import itertools
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cheap_job
from child_processes import children_of

from autoprune.jobs import attending
from autoprune.jobs import lease as leases
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.runner import run_search_and_race
from autoprune.jobs.worker import Until, Worker
from autoprune.trials.records import Lease


@dataclass(frozen=True)
class CheapWork:
    """What a worker runs: a cheap job to the end of its race.

    Args:
        broken: this job raises instead.
        deaf: begins with a call that never ends, and that no signal and no other thread interrupts.
        fatal: the process kills itself.
    """

    folder: Path
    pause_s: float = 0.0
    url: str | None = None
    broken: str | None = None
    deaf: bool = False
    fatal: bool = False

    def __call__(self, lease: Lease) -> None:
        if lease.job == self.broken:
            raise ModuleNotFoundError("no module of that name here")
        if self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.deaf:
            deque(itertools.repeat(None), maxlen=0)
        store = cheap_job.open_store(self.folder, self.url)
        context = cheap_job.context_of(
            store, lease, InlineExecutor(cheap_job.CheapRecipe(self.pause_s))
        )
        run_search_and_race(context)
        store.commit(lease, state="finished")


def wait_until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.01)


def hold_the_lock(seconds: float) -> None:
    """A step that lets no other thread run."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def claim_process(folder: Path, url: str | None, job: str, seconds: float) -> None:
    """Tries to claim a job for a while; succeeds when it never can."""
    store, end = cheap_job.open_store(folder, url), time.monotonic() + seconds
    while time.monotonic() < end:
        if store.claim(job, "thief", 60.0) is not None:
            sys.exit(1)
        time.sleep(0.05)


def beat_process(folder: Path, job: str, said: Connection, lease_s: float = 60.0) -> None:
    """A driver that tells its heartbeat's process id and waits to be killed."""
    leases.LEASE_S = lease_s
    store = cheap_job.open_store(folder)
    with heartbeat(store, acquire(store, job)):
        said.send(heartbeats_of(os.getpid())[0])
        time.sleep(60)


def heartbeats_of(pid: int) -> list[int]:
    """Process ids of a driver's heartbeats."""
    return [p for p in children_of(pid) if b"heartbeat.py" in _command_of(p)]


def _command_of(pid: int) -> bytes:
    """Empty where the process has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def work_process(work: CheapWork, until: Until, environment: str, method: str) -> None:
    """Entry point of a worker process; exits as the command does.

    Args:
        method: how it starts the processes of its jobs; forking is quick, but they would outlive a
            worker that is killed.
    """
    attending._CONTEXT = multiprocessing.get_context(method)  # type: ignore[assignment]
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    store = cheap_job.open_store(work.folder, work.url)
    worker = Worker(store, work, lambda job: job.environment == environment, 0.05, print)
    sys.exit(130 if worker.run(until) == signal.SIGINT else 0)
