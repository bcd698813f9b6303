"""One job in a process of its own, as a worker starts it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Literal

from autoprune.errors import (
    AutopruneError,
    DatabaseError,
    JobStoppedError,
    LeaseLostError,
    StorageError,
)
from autoprune.jobs.executors.worker import die_with, preloaded
from autoprune.trials.records import Lease
from latency_tables.errors import LatencyTableError
from searchers.contract import SearcherError

Work = Callable[[Lease], None]
"""Runs a job to its end; picklable, as it is called in another process."""

_PRELOADED = preloaded("autoprune.jobs.runner", "autoprune.evaluation.recipe")
_CONTEXT = multiprocessing.get_context("forkserver")
"""A job's process begins with torch, and with none of a user's modules: they may have changed."""

_GRACE_S = 2.0


@dataclass(frozen=True)
class Verdict:
    """What a job's process says at its end.

    Args:
        kind: ``done``; ``left``, of a job that was taken away or asked to stop; ``failed``, by
            the job's own fault; ``trouble``, where storage fails any job.
    """

    kind: Literal["done", "left", "failed", "trouble"]
    text: str = ""


class Attendant:
    """The process of one job, with all that it starts.

    Args:
        work: what to run.
        lease: the job's; kept alive elsewhere.
    """

    def __init__(self, work: Work, lease: Lease) -> None:
        ours, theirs = _CONTEXT.Pipe(duplex=False)
        alive, self._lifeline = _CONTEXT.Pipe(duplex=False)
        self._verdicts = ours
        self.process = _CONTEXT.Process(target=_attend, args=(work, lease, theirs, alive))
        _CONTEXT.set_forkserver_preload(_PRELOADED)
        self.process.start()
        theirs.close()
        alive.close()

    @property
    def signs(self) -> tuple[Connection, int]:
        """One of them is ready when there is a verdict, or the process has ended without."""
        return self._verdicts, self.process.sentinel

    def verdict(self) -> Verdict | None:
        """What the process said; None when it was lost. Call it when a sign is ready."""
        try:
            verdict: Verdict | None = self._verdicts.recv() if self._verdicts.poll() else None
        except (EOFError, OSError):
            return None
        self.process.join(_GRACE_S)
        return verdict

    def end(self) -> None:
        """Interrupt the process, kill it where it takes long; returns once it is gone."""
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(_GRACE_S)
        self.kill()
        self.process.join()
        self._verdicts.close()
        self._lifeline.close()

    def kill(self) -> None:
        """Kill the process and what it started."""
        if self.process.pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()


def _attend(work: Work, lease: Lease, verdicts: Connection, lifeline: Connection) -> None:
    os.setsid()  # Ctrl-C in a terminal is for the worker alone
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=die_with, args=(lifeline,), daemon=True).start()
    with suppress(KeyboardInterrupt):
        verdicts.send(_verdict_on(work, lease))


def _verdict_on(work: Work, lease: Lease) -> Verdict:
    try:
        work(lease)
    except (JobStoppedError, LeaseLostError) as error:
        return Verdict("left", str(error))
    except (StorageError, DatabaseError) as error:
        return Verdict("trouble", str(error))
    except (AutopruneError, LatencyTableError, SearcherError) as error:
        return Verdict("failed", str(error))
    except (Exception, SystemExit) as error:  # a user's code may raise and do anything
        traceback.print_exc()
        return Verdict("failed", f"{type(error).__name__}: {error}")
    return Verdict("done")
