"""Which jobs wait for a worker, and who changes the state of a job that nobody drives.

A job is for workers when it has a priority. It waits when it is queued, or when it runs and its
driver's lease has ended: the driver was lost. A wish (``desired_state``) is followed by the job's
driver; where there is none any more, whoever looks at the job follows it instead.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from autoprune.errors import InputError, JobStateError
from autoprune.trials import history, leases
from autoprune.trials.leases import IsGone
from autoprune.trials.models import Job
from autoprune.trials.records import JobState, Json, Lease

LOSSES = 10
"""A job that loses its driver so often and gets nowhere takes no more workers with it."""

_STOPPABLE: dict[JobState, tuple[JobState, ...]] = {
    "paused": ("queued", "running", "paused"),
    "cancelled": ("queued", "running", "paused", "failed", "cancelled"),
}


def waiting(session: Session, is_gone: IsGone | None) -> list[str]:
    """Ids of the jobs that wait for a worker, in the order in which they are to be taken."""
    now = leases.now(session)
    rows = session.execute(
        select(Job.id, Job.state, Job.lease_owner, Job.lease_until)
        .where(Job.priority.is_not(None), Job.state.in_(("queued", "running")))
        .order_by(Job.priority.desc(), Job.created, Job.id)
    )
    return [row.id for row in rows if not leases.is_live(row, now, is_gone)]


def claim(
    session: Session, job: str, owner: str, ttl_s: float, is_gone: IsGone | None
) -> Lease | None:
    """Make a worker the driver of a job that waits; None where another was quicker."""
    row = leases.try_lock(session, job, skip_locked=True)
    if row is None or row.priority is None or row.state not in ("queued", "running"):
        return None
    if leases.is_live(row, leases.now(session), is_gone):
        return None
    if row.desired_state is not None:
        settle(session, job, cast(JobState, row.desired_state))
        return None
    if row.state == "running" and history.losses(session, job) >= LOSSES:
        error = (
            f"its driver was lost {LOSSES} times without a step forward (is the machine out of "
            f"memory?): see why, then go on with 'autoprune resume {job}'"
        )
        settle(session, job, "failed", error)
        return None
    return leases.give(session, row, owner, ttl_s)


def wish(session: Session, job: str, desired: JobState, is_gone: IsGone | None) -> JobState:
    """Ask for a job to be paused or cancelled; at once where nobody drives it.

    Returns:
        The job's state now.

    Raises:
        JobStateError: a job in this state cannot be.
    """
    row = leases.lock(session, job)
    if desired not in _STOPPABLE:
        raise InputError(f"a job can be asked to be paused or cancelled, got {desired!r}")
    state = cast(JobState, row.state)
    if state not in _STOPPABLE[desired]:
        raise JobStateError(f"job {job} is {state}: it cannot be {desired} any more")
    if state == "running" and leases.is_live(row, leases.now(session), is_gone):
        session.execute(update(Job).where(Job.id == job).values(desired_state=desired))
        history.note(session, job, [("wish", {"state": desired})])
        return state
    if state != desired:
        settle(session, job, desired)
    return desired


def put_back(session: Session, job: str, priority: int, how: Json, is_gone: IsGone | None) -> None:
    """Queue a job that stands still, for workers.

    Raises:
        JobStateError: it is driven now, waits already, or is finished.
    """
    row = leases.lock(session, job)
    if row.state == "finished":
        raise JobStateError(f"job {job} is finished: there is nothing left to run")
    if leases.is_live(row, leases.now(session), is_gone):
        raise JobStateError(
            f"job {job} is driven by {row.lease_owner}: pause it with 'autoprune pause {job}' first"
        )
    session.execute(update(Job).where(Job.id == job).values(priority=priority, how=how))
    settle(session, job, "queued")


def settle(session: Session, job: str, state: JobState, error: str | None = None) -> None:
    """Give a job that nobody drives a state; a driver that only slept is fenced off."""
    session.execute(
        update(Job)
        .where(Job.id == job)
        .values(
            state=state,
            desired_state=None,
            error=error,
            epoch=Job.epoch + 1,
            lease_owner=None,
            lease_until=None,
        )
    )
    history.note(session, job, [("state", {"state": state})])
