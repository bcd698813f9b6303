"""`autoprune pause`: stop a job that runs or waits elsewhere."""

from __future__ import annotations

from autoprune.cli.options import DEFAULT_DB, AsJson, Db, Job
from autoprune.cli.remote import Server
from autoprune.cli.steering import steer


def pause(job: Job, db: Db = DEFAULT_DB, server: Server = None, as_json: AsJson = False) -> None:
    """Stop a job after its running trial; `resume` goes on where it stopped."""
    steer(job, "paused", db, server, as_json)
