"""Keeps a lease alive from a process of its own, which no busy step of the driver can starve.

A thread of the driver would not do: while a step holds Python's interpreter lock, it does not run.
This program is started by :func:`autoprune.jobs.lease.heartbeat` as a file, and imports the
database's driver alone, so that it is there in a blink. It ends with its parent: its standard input
ends then, and before every beat it looks whether its parent is still the one that started it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOST = 3
"""Exit code: another driver holds the job."""

_LOOK_S = 1.0
"""How often the parent is looked at."""
_AGAIN_S = 5.0
"""When a beat failed, the next one comes sooner."""

_SQLITE = "UPDATE jobs SET lease_until = ? WHERE id = ? AND epoch = ? AND lease_owner = ?"
_POSTGRES = (
    "UPDATE jobs SET lease_until = extract(epoch FROM clock_timestamp())::float8 + %s "
    "WHERE id = %s AND epoch = %s AND lease_owner = %s"
)

Beat = Callable[[float], int]
"""Seconds until expiry -> rows that were renewed: 1, or 0 when the lease is lost."""


def main() -> int:
    """Renew until the lease is lost, the parent is gone, or says anything after its order.

    The order comes as a line of JSON.
    """
    parent = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM):  # the driver decides when this ends
        signal.signal(number, signal.SIG_IGN)
    told = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a buffer would hide what is said next
    order = json.loads(told.readline() or b"null")
    if order is None:
        return 0
    beat, due = _beat_of(order), time.monotonic() + order["every_s"]
    look_s = min(_LOOK_S, order["every_s"] / 2)
    while not select.select([told], [], [], look_s)[0] and os.getppid() == parent:
        if time.monotonic() < due or _stands_still(parent):
            continue
        try:
            if not beat(order["ttl_s"]):
                return LOST
            due = time.monotonic() + order["every_s"]
        except Exception:  # whatever the database's driver raises: it may be back soon
            beat, due = _beat_of(order), time.monotonic() + min(_AGAIN_S, order["every_s"])
    return 0


def _beat_of(order: dict[str, Any]) -> Beat:
    """A beat on a connection of its own, made at the first one."""
    connections: list[Any] = []
    lease = (order["job"], order["epoch"], order["owner"])

    def beat(ttl_s: float) -> int:
        if not connections:
            connections.append(_connect(order))
        if order["dialect"] == "postgresql":
            return int(connections[0].execute(_POSTGRES, (ttl_s, *lease)).rowcount)
        return int(connections[0].execute(_SQLITE, (time.time() + ttl_s, *lease)).rowcount)

    return beat


def _connect(order: dict[str, Any]) -> Any:
    positional, named = order["connect"]
    if order["dialect"] == "postgresql":
        import psycopg

        return psycopg.connect(*positional, **{"connect_timeout": 10, **named}, autocommit=True)
    import sqlite3

    return sqlite3.connect(*positional, **{"timeout": 60.0, **named, "isolation_level": None})


def _stands_still(pid: int) -> bool:
    """Whether a process was stopped (Ctrl-Z, a debugger): it then holds nothing."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rsplit(")", 1)[-1].split()[0] in ("T", "t")


if __name__ == "__main__":
    sys.exit(main())
