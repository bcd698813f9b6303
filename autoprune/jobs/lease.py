"""Holding a job: who owns it, and a heartbeat that a busy training step cannot starve."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autoprune.trials import heartbeat as beating
from autoprune.trials.records import JobRecord, Lease
from autoprune.trials.store import TrialStore

LEASE_S = 60.0
_ENDING_S, _AGAIN_S = 2.0, 1.0
"""How long the heartbeat may take to end, and when one that was killed is started again."""


def owner_name() -> str:
    """Host, process and its start: enough to see later whether the owner still lives here."""
    pid = os.getpid()
    return f"{_host()}/{pid}/{_started(pid)}/{uuid.uuid4().hex[:6]}"


def owner_is_gone(owner: str) -> bool:
    """Whether an owner was a process of this host that has ended; False when it cannot be told."""
    parts = owner.split("/")
    if len(parts) != 4 or parts[0] != _host() or not parts[1].isdigit():
        return False
    return _started(int(parts[1])) != parts[2]


def _host() -> str:
    """Where process ids mean the same: containers may share a host's name, and not its ids."""
    try:
        namespace = f":{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        namespace = ""
    return socket.gethostname() + namespace


def _started(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "gone"
    fields = stat.rsplit(")", 1)[-1].split()
    return "gone" if fields[0] == "Z" else fields[19]


def acquire(store: TrialStore, job: str) -> Lease:
    """Take the job, also from a driver of this host that was killed; the epoch fences it off."""
    holder = store.holder(job)
    gone = holder if holder is not None and owner_is_gone(holder) else None
    return store.acquire(job, owner_name(), LEASE_S, steal_from=gone)


def claim_next(store: TrialStore, suits: Callable[[JobRecord], bool]) -> Lease | None:
    """Take the first job that waits for a worker and suits this one; None when there is none."""
    for job in store.waiting_jobs(owner_is_gone):
        if suits(store.job(job)):
            lease = store.claim(job, owner_name(), LEASE_S, owner_is_gone)
            if lease is not None:
                return lease
    return None


@contextmanager
def heartbeat(store: TrialStore, lease: Lease) -> Iterator[None]:
    """Renew the lease from a process of its own until the block ends, or this process does.

    The driver is not told when the lease is lost: its next write says so, and writes nothing.
    """
    order = {
        **store.address(),
        "job": lease.job,
        "epoch": lease.epoch,
        "owner": lease.owner,
        "ttl_s": LEASE_S,
        "every_s": LEASE_S / 4,
    }
    keeper = _Keeper(json.dumps(order).encode() + b"\n")
    try:
        yield
    finally:
        keeper.end()


class _Keeper:
    """The heartbeat's process, started again should it be killed."""

    def __init__(self, order: bytes) -> None:
        self._order = order
        self._ending = threading.Event()
        self._lock = threading.Lock()  # who starts one, and who ends the last
        self._process = self._start()
        self._watch = threading.Thread(target=self._keep, name="heartbeat", daemon=True)
        self._watch.start()

    def end(self) -> None:
        """Tell it to end, which the end of its input would do too late.

        A process that the driver forked meanwhile holds a copy of that pipe, and keeps it open.
        """
        with self._lock:
            self._ending.set()
        with suppress(OSError):
            self._process.stdin.write(b"end\n")  # type: ignore[union-attr]
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:  # it waits for the database
            self._process.kill()
        self._watch.join()

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: the folder of that file holds modules whose names are other packages' too.
        process = subprocess.Popen(
            [sys.executable, "-P", beating.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for the driver
        )
        with suppress(BrokenPipeError):
            process.stdin.write(self._order)  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        return process

    def _keep(self) -> None:
        while self._process.wait() != beating.LOST and not self._ending.wait(_AGAIN_S):
            with self._lock:
                if not self._ending.is_set():
                    self._process = self._start()
