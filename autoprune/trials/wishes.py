"""What others than its driver may ask of a job: to pause, to go on, to be cancelled.

A job that nobody holds changes at once. One that is held gets a wish, which its driver follows.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from autoprune.errors import JobStateError, UnknownJobError
from autoprune.trials import leases
from autoprune.trials.models import Job
from autoprune.trials.records import JobState

_FROM: dict[JobState, tuple[JobState, ...]] = {
    "paused": ("queued", "running", "paused"),
    "queued": ("queued", "running", "paused", "failed"),
    "cancelled": ("queued", "running", "paused", "failed", "cancelled"),
}
"""What can be asked for -> the states in which it can."""


def wish(session: Session, job: str, desired: JobState) -> None:
    """Bring a job to a state, or let its driver do so; see :meth:`TrialStore.request_state`."""
    row = session.execute(select(Job.state).where(Job.id == job).with_for_update()).one_or_none()
    if row is None:
        raise UnknownJobError(job)
    state = cast(JobState, row.state)
    if state not in _FROM.get(desired, ()):
        raise JobStateError(f"job {job} is {state}: it cannot become {desired}")
    if leases.holder(session, job) is None:
        values = {"state": desired, "desired_state": None}
    else:  # a driver is at work: to go on is to be left alone
        values = {"desired_state": None if desired == "queued" else desired}
    session.execute(update(Job).where(Job.id == job).values(**values))
