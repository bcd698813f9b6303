"""`autoprune show`: one job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.front import fetch_front, found_front, print_front
from autoprune.cli.options import DEFAULT_DB, AsJson, Db, Job, check_writable
from autoprune.cli.output import print_job, print_json, print_savings, say, say_interrupted
from autoprune.cli.remote import RemoteServer, Server
from autoprune.errors import InputError
from autoprune.export.front import Front, front_rows
from autoprune.jobs.front import read_front
from autoprune.jobs.summary import savings_of, summarise_job
from autoprune.trials.records import Json

Read = tuple[Json, list[Json] | None, Callable[[], Front]]
"""What is shown of a job, what each group saves, and the way to its front."""


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
    if plot is not None:
        check_writable(plot)
    shown, savings, read = _read(job, db) if server is None else _ask(job, server)
    found = found_front(read(), plot) if front else None
    if as_json:
        more: Json = {"why": savings} if why else {}
        print_json({**shown, **more, **({"front": front_rows(found)} if found else {})})
        return
    print_job(shown)
    say_interrupted(shown)
    if why:
        _print_why(shown, savings)
    if found:
        print_front(found)


def _read(job: str, db: str) -> Read:
    store = composition.records_of(db)
    shown = summarise_job(store, job)
    return shown, savings_of(store.job(job)), lambda: read_front(store, job)


def _ask(job: str, url: str) -> Read:
    server = RemoteServer.at(url)
    shown = server.get(f"/v1/jobs/{server.job(job)}")
    return shown, shown["savings"], lambda: fetch_front(server, shown["job"])


def _print_why(shown: Json, savings: list[Json] | None) -> None:
    for of_table in savings or []:
        print_savings(of_table)
    if savings is None:
        say(
            f"job {shown['job']} has chosen no schedule yet: what each group saves is there once "
            "its finalists are measured"
        )
