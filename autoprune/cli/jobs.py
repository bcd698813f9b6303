"""`autoprune jobs`: what is in the database."""

from __future__ import annotations

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db
from autoprune.cli.output import print_json, print_table, say_interrupted
from autoprune.cli.remote import RemoteServer, Server
from autoprune.jobs.listing import job_lines
from autoprune.trials.records import Json

_COLUMNS = (
    *("job", "state", "model", "budget", "trials", "best score", "unpruned", "searcher"),
    *("priority", "created"),
)


def jobs(db: Db = DEFAULT_DB, server: Server = None, as_json: AsJson = False) -> None:
    """List the jobs, newest last: what each searches, how far it is, and its best score."""
    lines = _of_database(db) if server is None else _of_server(server)
    if as_json:
        print_json(lines)
        return
    print_table("jobs", _COLUMNS, [_row(line) for line in lines])
    for line in lines:
        say_interrupted(line)


def _of_database(db: str) -> list[Json]:
    store = composition.records_of(db)
    return job_lines(store, store.job_page(None)[::-1])


def _of_server(url: str) -> list[Json]:
    return [*RemoteServer.at(url).items("/v1/jobs", limit=500)][::-1]


def _row(line: Json) -> list[object]:
    best, base = (
        None if line[name] is None else f"{line[name]:.4f}" for name in ("best_score", "base_score")
    )
    return [
        *(line["job"], line["state"], line["model"], ", ".join(line["budget"])),
        *(
            f"{line['trials_told']}/{'–' if line['trials'] is None else line['trials']}",
            best,
            base,
            line["searcher"],
        ),
        *(line["priority"], line["created"]),
    ]
