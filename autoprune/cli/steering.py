"""What pausing and cancelling a job have in common."""

from __future__ import annotations

from autoprune import composition
from autoprune.cli.output import print_json, say
from autoprune.jobs.lease import owner_is_gone
from autoprune.trials.records import JobState


def steer(job: str, desired: JobState, db: str, as_json: bool) -> None:
    """Pause or cancel a job, and say whether it is done or asked for."""
    store = composition.records_of(db)
    record = store.job(job)
    state = store.request_state(record.id, desired, owner_is_gone)
    if as_json:
        print_json(
            {"job": record.id, "state": state, "desired_state": store.desired_state(record.id)}
        )
    elif state == desired:
        say(f"job {record.id} is {state}")
    else:
        say(f"job {record.id} is {state}; it will be {desired} when its running trial has ended")
