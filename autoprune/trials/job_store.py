"""Jobs, and who holds them."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from autoprune.errors import InputError, RepeatedRequestError, UnknownJobError
from autoprune.trials import leases, wishes
from autoprune.trials.evaluations import insert_on
from autoprune.trials.models import Job, JobRequest, utc_now
from autoprune.trials.records import JobRecord, JobState, Json, Lease, Request
from autoprune.trials.rows import job_record
from autoprune.trials.store_base import StoreBase


class JobStore(StoreBase):
    """The part of the trial store that creates, finds and leases jobs."""

    def create_job(
        self,
        what: Json,
        what_hash: str,
        how: Json,
        environment: str,
        base: Json,
        request: Request | None = None,
    ) -> str:
        """Enter a job, queued and at stage ``search``; returns its id of eight hex digits.

        Args:
            request: what asked for it, so that it is entered once.

        Raises:
            RepeatedRequestError: a request of this key has made a job already; nothing is entered.
        """
        job = secrets.token_hex(4)
        with self._database.write() as session:
            while session.get(Job, job) is not None:
                job = secrets.token_hex(4)
            session.add(
                Job(
                    id=job,
                    what=what,
                    what_hash=what_hash,
                    how=how,
                    environment=environment,
                    base=base,
                    results={},
                    state="queued",
                    stage="search",
                    timing_dependent=False,
                    epoch=0,
                    created=utc_now(),
                )
            )
            if request is not None:
                _remember(session, request, job)
        return job

    def job(self, id: str) -> JobRecord:
        """A job by its id, or by the start of it where only one job's id starts so.

        Raises:
            UnknownJobError: no job's id starts so.
            InputError: several jobs' ids do.
        """
        prefix = id.lower()
        matches = Job.id.startswith(prefix, autoescape=True)
        with self._database.read() as session:
            named = session.get(Job, prefix)
            if named is not None:
                return job_record(named)
            rows = session.scalars(select(Job).where(matches).order_by(Job.id)).all() if id else []
            if not rows:
                raise UnknownJobError(id)
            if len(rows) > 1:
                ids = ", ".join(row.id for row in rows)
                raise InputError(f"{id!r} is the start of several jobs, {ids}: give more of it")
            return job_record(rows[0])

    def jobs(self) -> list[JobRecord]:
        """All jobs, oldest first."""
        with self._database.read() as session:
            rows = session.scalars(select(Job).order_by(Job.created, Job.id))
            return [job_record(row) for row in rows]

    def request_state(self, job: str, desired: JobState) -> None:
        """Pause a job, queue it again, or cancel it.

        At once where nobody holds it; else its driver gets a wish, which the next acquisition
        drops.

        Args:
            desired: ``paused``, ``queued`` (to go on) or ``cancelled``.

        Raises:
            JobStateError: it is in a state that cannot become so.
        """
        with self._database.write() as session:
            wishes.wish(session, job, desired)

    def desired_state(self, job: str) -> JobState | None:
        """The wish a driver has to follow, None when there is none."""
        with self._database.read() as session:
            row = session.execute(select(Job.desired_state).where(Job.id == job)).one_or_none()
            if row is None:
                raise UnknownJobError(job)
            wish: JobState | None = row.desired_state
            return wish

    def acquire(
        self,
        job: str,
        owner: str,
        ttl_s: float,
        *,
        steal: bool = False,
        steal_from: str | None = None,
    ) -> Lease:
        """Take the right to write to a job; the job is then running, unless it is finished.

        Args:
            job: its full id.
            owner: a name that no other driver has.
            ttl_s: seconds until the lease expires, unless renewed.
            steal: take it from whoever holds it.
            steal_from: take it from this owner, who is known to be gone, and from no other: two
                drivers that saw the same one die cannot take the job from each other.

        Raises:
            LeaseLostError: another driver holds a lease that has not expired.
            UnknownJobError: no such job.
        """
        with self._database.write() as session:
            return leases.take(session, job, owner, ttl_s, steal, steal_from)

    def renew(self, lease: Lease, ttl_s: float) -> None:
        """Keep the lease for ``ttl_s`` more seconds; raises LeaseLostError when it is lost."""
        with self._database.write() as session:
            leases.prolong(session, lease, ttl_s)

    def release(self, lease: Lease) -> None:
        """Give the job back; a running one is then paused. A lost lease is no error here."""
        with self._database.write() as session:
            leases.end(session, lease)

    def holder(self, job: str) -> str | None:
        """Who holds the job now, None when nobody does."""
        with self._database.read() as session:
            return leases.holder(session, job)


def _remember(session: Session, request: Request, job: str) -> None:
    session.flush()
    row = {
        "scope": request.scope,
        "key": request.key,
        "body_hash": request.body_hash,
        "job_id": job,
        "created": utc_now(),
    }
    new = insert_on(session, JobRequest, row).on_conflict_do_nothing(
        index_elements=["scope", "key"]
    )
    if session.execute(new.returning(JobRequest.key)).one_or_none() is None:
        raise RepeatedRequestError(f"a request with the key {request.key!r} has made a job already")
