"""`autoprune jobs`: what is in the database."""

from __future__ import annotations

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db
from autoprune.cli.output import print_json, print_table


def jobs(db: Db = DEFAULT_DB, as_json: AsJson = False) -> None:
    """List the jobs, newest last."""
    store = composition.records_of(db)
    rows = [
        {
            "job": job.id,
            "state": job.state,
            "priority": job.priority,
            "searcher": job.what["searcher"],
            "created": job.created,
        }
        for job in store.jobs()
    ]
    if as_json:
        print_json(rows)
    else:
        columns = ["job", "state", "priority", "searcher", "created"]
        print_table("jobs", columns, [list(row.values()) for row in rows])
