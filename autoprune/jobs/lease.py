"""Holding a job: who owns it, and a heartbeat that a busy training step cannot starve."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoprune.errors import AutopruneError, LeaseLostError
from autoprune.trials.records import Lease
from autoprune.trials.store import TrialStore

LEASE_S = 60.0


def owner_name() -> str:
    """Host, process and its start: enough to see later whether the owner still lives here."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{pid}/{_started(pid)}/{uuid.uuid4().hex[:6]}"


def owner_is_gone(owner: str) -> bool:
    """Whether an owner was a process of this host that has ended; False when it cannot be told."""
    parts = owner.split("/")
    if len(parts) != 4 or parts[0] != socket.gethostname() or not parts[1].isdigit():
        return False
    return _started(int(parts[1])) != parts[2]


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


@contextmanager
def heartbeat(store: TrialStore, lease: Lease) -> Iterator[None]:
    """Renew the lease from a thread of its own until the block ends."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(LEASE_S / 4):
            try:
                store.renew(lease, LEASE_S)
            except LeaseLostError:
                return  # the next commit says so, and writes nothing
            except AutopruneError:
                continue  # the database may be back at the next beat

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
