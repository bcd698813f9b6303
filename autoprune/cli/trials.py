"""`autoprune trials`: every trial of a job."""

from __future__ import annotations

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db, Job
from autoprune.cli.output import milliseconds, percent, print_json, print_table
from autoprune.cli.remote import RemoteServer, Server
from autoprune.jobs.summary import trial_rows


def trials(job: Job, db: Db = DEFAULT_DB, server: Server = None, as_json: AsJson = False) -> None:
    """List a job's trials in the order they were asked."""
    if server is None:
        rows = trial_rows(composition.records_of(db), job)
    else:
        rows = [*RemoteServer.at(server).items(f"/v1/jobs/{job}/trials", limit=500)]
    if as_json:
        print_json(rows)
        return
    print_table(
        f"trials of {job}",
        ["trial", "purpose", "state", "score", "accuracy", "predicted", "seconds", "error"],
        [
            [
                row["index"],
                row["purpose"],
                row["state"],
                None if row["score"] is None else f"{row['score']:.4f}",
                percent(row["accuracy"]),
                milliseconds(row["predicted_latency_s"]),
                None if row["seconds"] is None else f"{row['seconds']:.1f}",
                row["error"],
            ]
            for row in rows
        ],
    )
