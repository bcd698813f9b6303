"""What lists and watches jobs: pages of them, how far one is, and the ends of event streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Select, case, func, select, tuple_
from sqlalchemy.orm import Session

from autoprune.errors import UnknownJobError
from autoprune.trials import leases
from autoprune.trials.leases import IsGone
from autoprune.trials.listed_rows import listed_columns, listed_job
from autoprune.trials.models import Finalist, Job, JobRequest, StoredEvent, Trial
from autoprune.trials.records import JobListed, JobPosition, JobProgress, JobState, Request
from autoprune.trials.store_base import StoreBase

Place = tuple[str, str]
"""Of a job in the list: when it was created, and its id."""


class BrowseStore(StoreBase):
    """The part of the trial store that reads many jobs, or little of one; it writes nothing."""

    def job_page(
        self,
        limit: int | None,
        after: Place | None = None,
        state: JobState | None = None,
        starts_with: str = "",
    ) -> list[JobListed]:
        """At most ``limit`` jobs (None: all), newest first, from behind a place on.

        Args:
            starts_with: of their ids.
        """
        rows = select(*listed_columns()).order_by(Job.created.desc(), Job.id.desc())
        if state is not None:
            rows = rows.where(Job.state == state)
        if starts_with:
            rows = rows.where(Job.id.startswith(starts_with, autoescape=True))
        if after is not None:
            rows = rows.where(tuple_(Job.created, Job.id) < tuple_(*after))
        with self._database.read() as session:
            return [listed_job(row) for row in session.execute(rows.limit(limit))]

    def interrupted(self, jobs: Sequence[str], is_gone: IsGone | None = None) -> set[str]:
        """Those of some jobs that run by their state, and that nobody drives: the lease has ended.

        Args:
            jobs: their full ids.
            is_gone: tells owners whose leases need not expire, as their processes have ended.
        """
        rows = select(Job.id, Job.lease_owner, Job.lease_until).where(
            Job.id.in_(jobs), Job.state == "running"
        )
        with self._database.read() as session:
            found, now = session.execute(rows).all(), leases.now(session)
            return {row.id for row in found if not leases.is_live(row, now, is_gone)}

    def progress(self, jobs: Sequence[str]) -> dict[str, JobProgress]:
        """How far the trials of some jobs are, without reading them; jobs without any are left out.

        Args:
            jobs: their full ids.
        """
        told = (Trial.state == "told") & (Trial.purpose != "probe")
        candidate = case((told & (Trial.purpose == "candidate"), Trial.score))
        rows = (
            select(
                Trial.job_id,
                func.sum(case((told, 1), else_=0)).label("told"),
                func.min(candidate).label("lowest"),
                func.max(candidate).label("highest"),
            )
            .where(Trial.job_id.in_(jobs))
            .group_by(Trial.job_id)
        )
        with self._database.read() as session:
            found = session.execute(rows).all()
            return {r.job_id: JobProgress(int(r.told), r.lowest, r.highest) for r in found}

    def told(self, job: str) -> int:
        """How many trials of a job were told, without probes.

        Args:
            job: its full id.
        """
        return self.progress([job]).get(job, JobProgress()).told

    def count_jobs(self, state: JobState) -> int:
        """How many jobs are in a state."""
        with self._database.read() as session:
            rows = select(func.count()).select_from(Job).where(Job.state == state)
            return session.execute(rows).scalar_one()

    def position(self, job: str) -> JobPosition:
        """How far a job is, without reading its trials.

        Args:
            job: its full id.
        """
        columns = (Job.state, Job.stage, Job.epoch, Job.desired_state)
        with self._database.read() as session:
            row = session.execute(select(*columns).where(Job.id == job)).one_or_none()
            if row is None:
                raise UnknownJobError(job)
            return JobPosition(
                cast(JobState, row.state),
                row.stage,
                row.epoch,
                row.desired_state,
                _counts(session, job, Trial, Trial.seconds.is_not(None), Trial.state == "told"),
                _counts(
                    session,
                    job,
                    Finalist,
                    Finalist.seconds.is_not(None),
                    Finalist.measured.is_not(None),
                ),
                _last_event(session, job),
            )

    def ends_of_events(self, jobs: Sequence[str]) -> dict[str, tuple[int, JobState]]:
        """Of several jobs that there are, the number of the last event, and the state."""
        last = (
            select(func.max(StoredEvent.sequence))
            .where(StoredEvent.job_id == Job.id)
            .scalar_subquery()
        )
        rows = select(Job.id, Job.state, last.label("last")).where(Job.id.in_(jobs))
        with self._database.read() as session:
            return {row.id: (row.last or 0, row.state) for row in session.execute(rows)}

    def requested(self, scope: str, key: str) -> tuple[Request, str] | None:
        """The request of a key with the job it made, None where there was none."""
        with self._database.read() as session:
            row = session.get(JobRequest, (scope, key))
            return None if row is None else (Request(scope, key, row.body_hash), row.job_id)


def _counts(
    session: Session, job: str, table: type[Trial] | type[Finalist], *conditions: Any
) -> tuple[int, int, int]:
    """How many rows a job has, and of how many each of two conditions holds."""
    sums = [func.coalesce(func.sum(case((holds, 1), else_=0)), 0) for holds in conditions]
    rows: Select[Any] = select(func.count(), *sums).where(table.job_id == job)
    total, first, second = session.execute(rows).one()
    return int(total), int(first), int(second)


def _last_event(session: Session, job: str) -> int:
    rows = select(func.max(StoredEvent.sequence)).where(StoredEvent.job_id == job)
    return session.execute(rows).scalar_one() or 0
