"""`autoprune show`: one job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.front import found_front, print_front
from autoprune.cli.options import DEFAULT_DB, AsJson, Db, Job
from autoprune.cli.output import print_job, print_json, print_savings, say
from autoprune.cli.remote import RemoteServer, Server
from autoprune.errors import InputError
from autoprune.jobs.front import front_rows
from autoprune.jobs.summary import savings_of, summarise_job
from autoprune.trials.records import Json


def show(
    job: Job,
    db: Db = DEFAULT_DB,
    why: Annotated[
        bool, typer.Option("--why", help="Also the time that each group of channels saves.")
    ] = False,
    front: Annotated[
        bool, typer.Option("--front", help="Also the trials that none beats in latency and score.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="With --front: page to draw it on, as in front.html."),
    ] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """State, digest, the network before and after, and every layer of the best schedule."""
    if plot is not None and not front:
        raise InputError("--plot draws the front: give --front as well")
    if server is not None:
        _show_remote(server, job, why, front, as_json)
        return
    store = composition.records_of(db)
    shown = summarise_job(store, job)
    savings = savings_of(store.job(job)) if why else None
    found = found_front(store, job, plot) if front else None
    if as_json:
        more: Json = {"why": savings} if why else {}
        print_json({**shown, **more, **({"front": front_rows(found)} if found else {})})
        return
    print_job(shown)
    if why:
        _print_why(shown, savings)
    if found:
        print_front(found)


def _show_remote(url: str, job: str, why: bool, front: bool, as_json: bool) -> None:
    if front:
        raise InputError("the front is drawn from a database: read /v1/jobs/JOB/front instead")
    shown = RemoteServer.at(url).get(f"/v1/jobs/{job}")
    if as_json:
        print_json(shown)
        return
    print_job(shown)
    if why:
        _print_why(shown, shown["savings"])


def _print_why(shown: Json, savings: list[Json] | None) -> None:
    for of_table in savings or []:
        print_savings(of_table)
    if savings is None:
        say(
            f"job {shown['job']} has chosen no schedule yet: what each group saves is there once "
            "its finalists are measured"
        )
