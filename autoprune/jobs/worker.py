"""A worker: takes jobs from the trial database, one after another, and drives each to its end.

It runs nothing of a job itself. Each job has a process of its own, so that a user's code can
neither stop the worker nor keep it from renewing the lease or from ending when it is told to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from autoprune.errors import LeaseLostError, StorageError
from autoprune.jobs.attending import Attendant, Verdict, Work
from autoprune.jobs.lease import claim_next, heartbeat
from autoprune.jobs.stopping import StopSignals
from autoprune.trials.records import JobRecord, Lease
from autoprune.trials.store import TrialStore

LOSSES = 3
"""A job that loses its process so often without a new trial is failed: it would go on so."""

Until = Literal["stopped", "empty", "one"]
"""When a worker ends: at a signal, when no job waits, or after one job at most."""


@dataclass
class Worker:
    """Claims, starts, waits, gives back.

    Args:
        work: runs one job, in a process of its own.
        suits: whether this worker can run a job; others are left to other workers.
        poll_s: seconds between looks at the queue when no job waits.
        say: one line for people.
    """

    store: TrialStore
    work: Work
    suits: Callable[[JobRecord], bool]
    poll_s: float
    say: Callable[[str], None]
    _attendant: Attendant | None = field(default=None, init=False)

    def run(self, until: Until = "stopped") -> int | None:
        """Work until there is nothing more to do, or a signal comes; the job then goes back.

        Returns:
            The number of the signal, None where none came.

        Raises:
            StorageError: the database or the artifact folder cannot be used; the job went back.
        """
        with StopSignals(at_once=self._kill) as stop:
            while stop.number is None:
                lease = claim_next(self.store, self.suits)
                if lease is not None:
                    self._drive(lease, stop)
                if until == "one" or (until == "empty" and lease is None):
                    break
                if lease is None:
                    stop.wait([], self.poll_s)
        return stop.number

    def _drive(self, lease: Lease, stop: StopSignals) -> None:
        self.say(f"job {lease.job}: taken")
        try:
            with heartbeat(self.store, lease):
                verdict = self._verdict(lease, stop)
                if verdict is not None and verdict.kind == "failed":
                    self.store.commit(lease, state="failed", error=verdict.text)
        except LeaseLostError as error:
            verdict = Verdict("left", str(error))
        finally:
            self.store.release(lease, "queued")
        self.say(self._news(lease.job, verdict))
        if verdict is not None and verdict.kind == "trouble":
            raise StorageError(verdict.text)

    def _verdict(self, lease: Lease, stop: StopSignals) -> Verdict | None:
        """Run the job's process, again where it is lost; None when the worker is to stop."""
        losses, told = 0, self._told(lease)
        while True:
            verdict = self._attend(lease, stop)
            if verdict is not None or stop.number is not None:
                return verdict
            before, told = told, self._told(lease)
            losses = 1 if told > before else losses + 1
            if losses >= LOSSES:
                return Verdict(
                    "failed",
                    f"the job's process was lost {losses} times without a new trial (is the "
                    "machine out of memory?): see what it said above, and resume it by hand",
                )
            self.say(f"job {lease.job}: its process was lost, and is started again")

    def _attend(self, lease: Lease, stop: StopSignals) -> Verdict | None:
        self._attendant = attendant = Attendant(self.work, lease)
        try:
            return attendant.verdict() if stop.wait(attendant.signs) else None
        finally:
            attendant.end()
            self._attendant = None

    def _told(self, lease: Lease) -> int:
        """Probes count too: a job that tells one gets on."""
        return self.store.position(lease.job).trials[2]

    def _news(self, job: str, verdict: Verdict | None) -> str:
        state = self.store.job(job).state
        text = f": {verdict.text}" if verdict is not None and verdict.text else ""
        return f"job {job}: {state}{text}"

    def _kill(self) -> None:
        if self._attendant is not None:
            self._attendant.kill()
