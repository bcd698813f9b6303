"""What pausing and cancelling a job have in common."""

from __future__ import annotations

from autoprune import composition
from autoprune.cli.output import print_json, say
from autoprune.cli.remote import RemoteServer
from autoprune.jobs.lease import owner_is_gone
from autoprune.trials.records import JobState, Json


def steer(job: str, desired: JobState, db: str, server: str | None, as_json: bool) -> None:
    """Pause or cancel a job, and say whether it is done or asked for."""
    changed = _ask(job, desired, db) if server is None else _ask_server(job, desired, server)
    if as_json:
        print_json(changed)
    elif changed["state"] == desired:
        say(f"job {changed['job']} is {desired}")
    else:
        say(
            f"job {changed['job']} is {changed['state']}; it will be {desired} when its running "
            "trial has ended"
        )


def _ask(job: str, desired: JobState, db: str) -> Json:
    store = composition.records_of(db)
    id = store.job(job).id
    state = store.request_state(id, desired, owner_is_gone)
    return {"job": id, "state": state, "desired_state": store.desired_state(id)}


def _ask_server(job: str, desired: JobState, url: str) -> Json:
    verb = "pause" if desired == "paused" else "cancel"
    changed = RemoteServer.at(url).change(job, verb)
    return {name: changed[name] for name in ("job", "state", "desired_state")}
