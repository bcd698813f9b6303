"""`autoprune jobs`: what is in the database."""

from __future__ import annotations

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db
from autoprune.cli.output import print_json, print_table
from autoprune.cli.remote import RemoteServer, Server
from autoprune.trials.records import Json


def jobs(db: Db = DEFAULT_DB, server: Server = None, as_json: AsJson = False) -> None:
    """List the jobs, newest last."""
    rows = _of_database(db) if server is None else _of_server(server)
    if as_json:
        print_json(rows)
    else:
        columns = ["job", "state", "priority", "searcher", "created"]
        print_table("jobs", columns, [list(row.values()) for row in rows])


def _of_database(db: str) -> list[Json]:
    store = composition.records_of(db)
    return [
        {
            "job": job.id,
            "state": job.state,
            "priority": job.priority,
            "searcher": job.what["searcher"],
            "created": job.created,
        }
        for job in store.jobs()
    ]


def _of_server(url: str) -> list[Json]:
    shown = ("job", "state", "priority", "searcher", "created")
    items = [*RemoteServer.at(url).items("/v1/jobs", limit=500)]
    return [{name: item[name] for name in shown} for item in reversed(items)]
