"""Who may write to a job.

Every acquisition raises the job's epoch, and every write of a driver checks that the epoch is
still its own, in the same transaction and on a locked row. So safety rests on the epoch alone; the
time of expiry decides only when another driver may take over. It is compared with one clock: the
server's on PostgreSQL, the machine's on SQLite, whose drivers all run on one machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Double, cast, func, select, update
from sqlalchemy.orm import Session

from autoprune.errors import LeaseLostError, UnknownJobError
from autoprune.trials import history
from autoprune.trials.models import Job
from autoprune.trials.records import JobState, Lease

IsGone = Callable[[str], bool]
"""Whether an owner's process is known to have ended, so that its lease need not expire first."""

_COLUMNS = (
    Job.id,
    Job.state,
    Job.priority,
    Job.desired_state,
    Job.epoch,
    Job.lease_owner,
    Job.lease_until,
)


def take(
    session: Session, job: str, owner: str, ttl_s: float, steal: bool, steal_from: str | None
) -> Lease:
    """Make ``owner`` the holder; see :meth:`TrialStore.acquire`."""
    row = lock(session, job)
    if is_live(row, now(session)) and not steal and row.lease_owner != steal_from:
        raise LeaseLostError(
            f"job {job} is held by {row.lease_owner} until {_shown(row.lease_until)} unless it "
            "renews: wait for it, or end that driver first"
        )
    return give(session, row, owner, ttl_s)


def lock(session: Session, job: str) -> Any:
    """Lock a job until the transaction ends; the columns that say who drives it, and how.

    Raises:
        UnknownJobError: no such job.
    """
    row = try_lock(session, job)
    if row is None:
        raise UnknownJobError(job)
    return row


def try_lock(session: Session, job: str, *, skip_locked: bool = False) -> Any:
    """The same; None where there is no such job.

    Args:
        skip_locked: None also where another transaction has locked it, instead of waiting.
    """
    rows = select(*_COLUMNS).where(Job.id == job).with_for_update(skip_locked=skip_locked)
    return session.execute(rows).one_or_none()


def give(session: Session, row: Any, owner: str, ttl_s: float) -> Lease:
    """Make ``owner`` the holder of a free job; it drops a wish.

    Args:
        row: of :func:`lock`.
    """
    job, this = row.id, Job.id == row.id
    values = {
        "epoch": row.epoch + 1,
        "lease_owner": owner,
        "lease_until": now(session) + ttl_s,
        "desired_state": None,
    }
    session.execute(update(Job).where(this).values(**values))
    if row.state != "finished":
        session.execute(update(Job).where(this).values(state="running", error=None))
        history.note(session, job, [("state", {"state": "running", "driver": owner})])
    return Lease(job, owner, row.epoch + 1)


def is_live(row: Any, moment: float, is_gone: IsGone | None = None) -> bool:
    """Whether somebody drives a job.

    Args:
        row: with ``lease_owner`` and ``lease_until``.
        moment: seconds since 1970, of :func:`now`.
        is_gone: tells owners whose leases need not expire; None where it is not known of any.
    """
    if row.lease_owner is None or row.lease_until <= moment:
        return False
    return is_gone is None or not is_gone(row.lease_owner)


def hold(session: Session, lease: Lease) -> JobState | None:
    """Lock the job until the transaction ends; every write of a driver starts here.

    Returns:
        What the driver is asked to make of the job, None when it may go on.

    Raises:
        LeaseLostError: the lease was released, or another driver took the job over.
    """
    row = lock(session, lease.job)
    if _is_of(row, lease):
        wish: JobState | None = row.desired_state
        return wish
    holder = "nobody holds it now" if row.lease_owner is None else f"{row.lease_owner} holds it now"
    raise LeaseLostError(
        f"{lease.owner} lost job {lease.job}: {holder} (epoch {row.epoch}, this driver's was "
        f"{lease.epoch}); nothing was written. See how the other driver fares with 'autoprune show "
        f"{lease.job}'"
    )


def _is_of(row: Any, lease: Lease) -> bool:
    """Whether a lease is the one a locked job is held by."""
    return bool(row.epoch == lease.epoch and row.lease_owner == lease.owner)


def prolong(session: Session, lease: Lease, ttl_s: float) -> None:
    """Move the expiry to ``ttl_s`` seconds from now, also when it has passed meanwhile."""
    hold(session, lease)
    session.execute(update(Job).where(Job.id == lease.job).values(lease_until=now(session) + ttl_s))


def end(session: Session, lease: Lease, state: JobState) -> None:
    """Give the job back; one left running gets the state that is wished, or else ``state``.

    Nothing happens when the lease was lost.
    """
    row = try_lock(session, lease.job)
    if row is None or not _is_of(row, lease):
        return
    this = Job.id == lease.job
    if row.state == "running":
        left = row.desired_state or state
        session.execute(update(Job).where(this).values(state=left))
        history.note(session, lease.job, [("state", {"state": left})])
    free = {"lease_owner": None, "lease_until": None, "desired_state": None}
    session.execute(update(Job).where(this).values(**free))


def holder(session: Session, job: str) -> str | None:
    """Owner of the live lease, None when the job is free."""
    row = session.execute(
        select(Job.lease_owner, Job.lease_until).where(Job.id == job)
    ).one_or_none()
    if row is None:
        raise UnknownJobError(job)
    return str(row.lease_owner) if is_live(row, now(session)) else None


def now(session: Session) -> float:
    """Seconds since 1970 by the clock that all drivers of this database share."""
    if session.get_bind().dialect.name != "postgresql":
        return time.time()
    clock = cast(func.extract("epoch", func.clock_timestamp()), Double)
    return float(session.execute(select(clock)).scalar_one())


def _shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
