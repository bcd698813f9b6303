"""`autoprune cancel`: stop a job that runs or waits elsewhere."""

from __future__ import annotations

from autoprune.cli.options import DEFAULT_DB, AsJson, Db, Job
from autoprune.cli.remote import Server
from autoprune.cli.steering import steer


def cancel(job: Job, db: Db = DEFAULT_DB, server: Server = None, as_json: AsJson = False) -> None:
    """Give a job up after its running trial; what was scored is kept."""
    steer(job, "cancelled", db, server, as_json)
