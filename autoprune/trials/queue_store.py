"""The queue of jobs that workers take, and wishes about jobs."""

from __future__ import annotations

from sqlalchemy import select

from autoprune.errors import UnknownJobError
from autoprune.trials import queueing
from autoprune.trials.leases import IsGone
from autoprune.trials.models import Job
from autoprune.trials.records import JobState, Json, Lease
from autoprune.trials.store_base import StoreBase


class QueueStore(StoreBase):
    """The part of the trial store that workers and those who steer jobs use."""

    def waiting_jobs(self, is_gone: IsGone | None = None) -> list[str]:
        """Ids of the jobs that wait for a worker: the highest priority first, then the oldest.

        Args:
            is_gone: tells owners whose leases need not expire, as their processes have ended; here
                and in the other methods.
        """
        with self._database.read() as session:
            return queueing.waiting(session, is_gone)

    def claim(
        self, job: str, owner: str, ttl_s: float, is_gone: IsGone | None = None
    ) -> Lease | None:
        """Take a job that waits for a worker; None where it waits no more.

        A job whose lost driver was asked to pause or cancel it is paused or cancelled instead.

        Args:
            job: one of :meth:`waiting_jobs`.
            owner: a name that no other driver has.
            ttl_s: seconds until the lease expires, unless renewed.
        """
        with self._database.write() as session:
            return queueing.claim(session, job, owner, ttl_s, is_gone)

    def request_state(self, job: str, desired: JobState, is_gone: IsGone | None = None) -> JobState:
        """Pause or cancel a job: at once, or at the next step of the driver that holds it.

        The next acquisition drops a wish that was not followed yet.

        Args:
            desired: ``paused`` or ``cancelled``.

        Returns:
            The job's state now: still ``running`` where its driver has to be waited for.

        Raises:
            UnknownJobError: no such job.
            JobStateError: a job in its state can be neither.
        """
        with self._database.write() as session:
            return queueing.wish(session, job, desired, is_gone)

    def desired_state(self, job: str) -> JobState | None:
        """The wish a driver has to follow, None when there is none."""
        with self._database.read() as session:
            row = session.execute(select(Job.desired_state).where(Job.id == job)).one_or_none()
            if row is None:
                raise UnknownJobError(job)
            wish: JobState | None = row.desired_state
            return wish

    def queue_job(self, job: str, priority: int, how: Json, is_gone: IsGone | None = None) -> None:
        """Put a job that stands still (back) into the queue for workers.

        Args:
            how: replaces the unhashed half of its spec.

        Raises:
            UnknownJobError: no such job.
            JobStateError: it is driven now, or finished.
        """
        with self._database.write() as session:
            queueing.put_back(session, job, priority, how, is_gone)
