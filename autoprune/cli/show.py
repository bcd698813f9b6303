"""`autoprune show`: one job."""

from __future__ import annotations

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db, Job
from autoprune.cli.output import print_job, print_json
from autoprune.jobs.summary import summarise_job


def show(job: Job, db: Db = DEFAULT_DB, as_json: AsJson = False) -> None:
    """State, digest, the network before and after, and every layer of the best schedule."""
    store = composition.records_of(db)
    shown = summarise_job(store, job)
    if as_json:
        print_json(shown)
    else:
        print_job(shown)
