"""Who may write to a job.

Every acquisition raises the job's epoch, and every write of a driver checks that the epoch is
still its own, in the same transaction and on a locked row. So safety rests on the epoch alone; the
time of expiry decides only when another driver may take over. It is compared with one clock: the
server's on PostgreSQL, the machine's on SQLite, whose drivers all run on one machine.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sqlalchemy import Double, cast, func, select, update
from sqlalchemy.orm import Session

from autoprune.errors import LeaseLostError, UnknownJobError
from autoprune.trials.models import Job
from autoprune.trials.records import Lease


def take(
    session: Session, job: str, owner: str, ttl_s: float, steal: bool, steal_from: str | None
) -> Lease:
    """Make ``owner`` the holder; see :meth:`TrialStore.acquire`."""
    row = session.execute(
        select(Job.epoch, Job.lease_owner, Job.lease_until, Job.state)
        .where(Job.id == job)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise UnknownJobError(job)
    now = _now(session)
    live = row.lease_owner is not None and row.lease_until > now
    if live and not steal and row.lease_owner != steal_from:
        raise LeaseLostError(
            f"job {job} is held by {row.lease_owner} until {_shown(row.lease_until)} unless it "
            "renews: wait for it, or end that driver first"
        )
    session.execute(
        update(Job)
        .where(Job.id == job)
        .values(
            epoch=row.epoch + 1,
            lease_owner=owner,
            lease_until=now + ttl_s,
            desired_state=None,
            **({} if row.state == "finished" else {"state": "running", "error": None}),
        )
    )
    return Lease(job, owner, row.epoch + 1)


def hold(session: Session, lease: Lease) -> None:
    """Lock the job until the transaction ends; every write of a driver starts here.

    Raises:
        LeaseLostError: the lease was released, or another driver took the job over.
    """
    row = session.execute(
        select(Job.epoch, Job.lease_owner).where(Job.id == lease.job).with_for_update()
    ).one_or_none()
    if row is None:
        raise UnknownJobError(lease.job)
    if row.epoch == lease.epoch and row.lease_owner == lease.owner:
        return
    holder = "nobody holds it now" if row.lease_owner is None else f"{row.lease_owner} holds it now"
    raise LeaseLostError(
        f"{lease.owner} lost job {lease.job}: {holder} (epoch {row.epoch}, this driver's was "
        f"{lease.epoch}); nothing was written. See how the other driver fares with 'autoprune show "
        f"{lease.job}'"
    )


def prolong(session: Session, lease: Lease, ttl_s: float) -> None:
    """Move the expiry to ``ttl_s`` seconds from now, also when it has passed meanwhile."""
    hold(session, lease)
    session.execute(
        update(Job).where(Job.id == lease.job).values(lease_until=_now(session) + ttl_s)
    )


def end(session: Session, lease: Lease) -> None:
    """Give the job back; a job left running is paused. Nothing happens when the lease was lost."""
    held = (Job.id == lease.job, Job.epoch == lease.epoch, Job.lease_owner == lease.owner)
    session.execute(update(Job).where(*held, Job.state == "running").values(state="paused"))
    session.execute(update(Job).where(*held).values(lease_owner=None, lease_until=None))


def holder(session: Session, job: str) -> str | None:
    """Owner of the live lease, None when the job is free."""
    row = session.execute(
        select(Job.lease_owner, Job.lease_until).where(Job.id == job)
    ).one_or_none()
    if row is None:
        raise UnknownJobError(job)
    live = row.lease_owner is not None and row.lease_until > _now(session)
    return str(row.lease_owner) if live else None


def _now(session: Session) -> float:
    """Seconds since 1970 by the clock that all drivers of this database share."""
    if session.get_bind().dialect.name != "postgresql":
        return time.time()
    clock = cast(func.extract("epoch", func.clock_timestamp()), Double)
    return float(session.execute(select(clock)).scalar_one())


def _shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
