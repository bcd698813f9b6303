"""The trial database as the driver of a job sees it.

Every method is one transaction. Those that take a lease are fenced: a driver that lost its job
writes nothing. A store may be shared by threads; each process opens its own, also after a fork.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from autoprune.trials import history, leases
from autoprune.trials.browse_store import BrowseStore
from autoprune.trials.column_types import storable
from autoprune.trials.finalist_store import FinalistStore
from autoprune.trials.job_store import JobStore
from autoprune.trials.models import Job, StoredEvent
from autoprune.trials.queue_store import QueueStore
from autoprune.trials.reading_store import ReadingStore
from autoprune.trials.records import (
    Checkpoint,
    Event,
    JobState,
    Json,
    Lease,
    NewTrial,
    TrialResult,
)
from autoprune.trials.rows import event_record
from autoprune.trials.shared_store import SharedStore


class TrialStore(JobStore, QueueStore, BrowseStore, ReadingStore, FinalistStore, SharedStore):
    """Jobs, trials, reusable scores and artifacts.

    Legal order::

        job = store.create_job(...)
        lease = store.acquire(job, "host/1", 60.0)             # renew(lease, 60.0) now and then
        store.commit(lease, asked=[t0, t1])
        store.finish_trial(lease, 1, result)                   # results in any order
        store.finish_trial(lease, 0, result)
        store.commit(lease, told=[0], asked=[t2])              # told in the order of the trials
        store.commit(lease, told=[1], checkpoint=checkpoint)
        store.release(lease)

    A worker takes what others created with a priority::

        for job in store.waiting_jobs():
            lease = store.claim(job, "host/2", 60.0)           # None where another was quicker

    Args:
        engine: of :func:`autoprune.trials.engine.connect`.
        artifacts: where files go.
    """

    def commit(
        self,
        lease: Lease,
        *,
        told: Sequence[int] = (),
        asked: Sequence[NewTrial] = (),
        checkpoint: Checkpoint | None = None,
        events: Sequence[tuple[str, Json]] = (),
        stage: str | None = None,
        state: JobState | None = None,
        results: Json | None = None,
        error: str | None = None,
        timing_dependent: bool = False,
    ) -> JobState | None:
        """One step of a job: all of it is stored, or nothing.

        Args:
            lease: fences the step.
            told: finished trials that were told to the searcher.
            asked: suggestions that followed, with the next free indices.
            checkpoint: kept beside the one before it.
            events: kinds and payloads, appended in order.
            stage: the job's new stage.
            state: the job's new state.
            results: merged into the job's results, key by key.
            error: why the job stopped.
            timing_dependent: marks the job for good.

        Returns:
            What the driver is asked to make of the job, None when it may go on.

        Raises:
            LeaseLostError: another driver took the job over.
            AutopruneError: a trial told that is not finished, or an index asked out of order.
            StorageError, DatabaseError: it could not be stored.
        """
        changes: dict[str, Any] = {"stage": stage, "state": state, "error": storable(error)}
        changes["timing_dependent"] = timing_dependent or None
        changes = {column: value for column, value in changes.items() if value is not None}
        this = Job.id == lease.job
        with self._database.write() as session:
            wish = leases.hold(session, lease)
            history.tell(session, lease.job, told)
            history.ask(session, lease.job, asked)
            history.note(session, lease.job, [*events, *_change_of(state)])
            if checkpoint is not None:
                history.keep(session, lease.job, checkpoint)
            if results is not None:
                before = session.execute(select(Job.results).where(this)).scalar_one()
                changes["results"] = {**before, **results}
            if changes:
                session.execute(update(Job).where(this).values(**changes))
        return wish

    def finish_trial(self, lease: Lease, index: int, result: TrialResult) -> None:
        """Store the result of one trial; see :meth:`finish_trials`."""
        self.finish_trials(lease, {index: result})

    def finish_trials(self, lease: Lease, results: Mapping[int, TrialResult]) -> None:
        """Store results, by index; they wait here until told, and scores can be reused from now on.

        Raises:
            LeaseLostError: another driver took the job over.
            AutopruneError: a trial that was never asked, or has a result already.
        """
        with self._database.write() as session:
            leases.hold(session, lease)
            history.finish(session, lease.job, results)

    def checkpoint(self, job: str) -> Checkpoint | None:
        """The newest undamaged checkpoint."""
        with self._database.read() as session:
            return history.latest(session, job)

    def events(self, job: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """The job's events of a sequence number above ``after``, in order; the first has 1."""
        rows = (
            select(StoredEvent)
            .where(StoredEvent.job_id == job, StoredEvent.sequence > after)
            .order_by(StoredEvent.sequence)
            .limit(limit)
        )
        with self._database.read() as session:
            return [event_record(row) for row in session.scalars(rows)]


def _change_of(state: JobState | None) -> list[tuple[str, Json]]:
    return [] if state is None else [("state", {"state": state})]
