"""`autoprune show`: one job."""

from __future__ import annotations

from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, AsJson, Db, Job
from autoprune.cli.output import print_job, print_json, print_savings, say
from autoprune.jobs.summary import savings_of, summarise_job


def show(
    job: Job,
    db: Db = DEFAULT_DB,
    why: Annotated[
        bool, typer.Option("--why", help="Also the time that each group of channels saves.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """State, digest, the network before and after, and every layer of the best schedule."""
    store = composition.records_of(db)
    shown = summarise_job(store, job)
    savings = savings_of(store.job(job)) if why else None
    if as_json:
        print_json({**shown, "why": savings} if why else shown)
        return
    print_job(shown)
    for of_table in savings or []:
        print_savings(of_table)
    if why and savings is None:
        say(
            f"job {shown['job']} has chosen no schedule yet: what each group saves is there once "
            "its finalists are measured"
        )
