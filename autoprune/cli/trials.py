"""`autoprune trials`: every trial of a job."""

from __future__ import annotations

from typing import Any

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db, Job
from autoprune.cli.output import milliseconds, number, percent, print_json, print_table
from autoprune.cli.remote import RemoteServer, Server
from autoprune.jobs.summary import trial_rows
from autoprune.trials.records import Json


def trials(job: Job, db: Db = DEFAULT_DB, server: Server = None, as_json: AsJson = False) -> None:
    """List a job's trials in the order they were asked."""
    if server is None:
        store = composition.records_of(db)
        rows, base = trial_rows(store, job), store.job(job).base
    else:
        remote = RemoteServer.at(server)
        job = remote.job(job)
        rows = [*remote.items(f"/v1/jobs/{job}/trials", limit=500)]
        base = {} if as_json else remote.get(f"/v1/jobs/{job}")["base"]
    if as_json:
        print_json(rows)
        return
    figure = base.get("figure")
    print_table(
        f"trials of {job}",
        [
            *("trial", "purpose", "state", "score"),
            figure["name"] if figure else "accuracy",
            *("predicted", "seconds", "error"),
        ],
        [[*_scores(row, as_figure=figure is not None), *_costs(row)] for row in rows],
    )


def _scores(row: Json, *, as_figure: bool) -> list[Any]:
    score = None if row["score"] is None else f"{row['score']:.4f}"
    # A server of an earlier version tells the figure of the unpruned network alone.
    beside = number(row.get("figure")) if as_figure else percent(row["accuracy"])
    return [row["index"], row["purpose"], row["state"], score, beside]


def _costs(row: Json) -> list[Any]:
    took = None if row["seconds"] is None else f"{row['seconds']:.1f}"
    return [milliseconds(row["predicted_latency_s"]), took, row["error"]]
