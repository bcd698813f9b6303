"""Jobs, and who holds them."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from autoprune.errors import AmbiguousJobError, RepeatedRequestError, UnknownJobError
from autoprune.trials import leases
from autoprune.trials.inserting import insert_new
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
        *,
        priority: int | None = None,
        request: Request | None = None,
    ) -> str:
        """Enter a job, queued and at stage ``search``; returns its id of eight hex digits.

        Args:
            priority: makes it a job for workers, who take higher ones first; None keeps it from
                them.
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
                    priority=priority,
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
            AmbiguousJobError: several jobs' ids do.
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
                raise AmbiguousJobError(id, [row.id for row in rows])
            return job_record(rows[0])

    def jobs(self) -> list[JobRecord]:
        """All jobs, oldest first."""
        with self._database.read() as session:
            rows = session.scalars(select(Job).order_by(Job.created, Job.id))
            return [job_record(row) for row in rows]

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

    def release(self, lease: Lease, state: JobState = "paused") -> None:
        """Give the job back; a lost lease is no error here.

        Args:
            state: of a job that is left running, unless another one is wished.
        """
        with self._database.write() as session:
            leases.end(session, lease, state)

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
    if not insert_new(session, JobRequest, row, "scope", "key"):
        raise RepeatedRequestError(f"a request with the key {request.key!r} has made a job already")
