"""`autoprune worker`: run the jobs that others submitted."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.driving import bundle_folder
from autoprune.cli.options import DEFAULT_DB, Artifacts, Db, Workers
from autoprune.cli.output import say
from autoprune.cli.progress import shown_progress
from autoprune.errors import InputError
from autoprune.jobs.worker import Until


def worker(
    db: Db = DEFAULT_DB,
    artifacts: Artifacts = None,
    once: Annotated[bool, typer.Option("--once", help="Run one job at most, then end.")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="End when no job waits.")] = False,
    poll: Annotated[
        float, typer.Option("--poll", min=0.01, help="Seconds between looks at an empty queue.")
    ] = 2.0,
    workers: Workers = None,
    accept_environment: Annotated[
        bool,
        typer.Option("--accept-environment", help="Take also jobs whose scores may differ here."),
    ] = False,
) -> None:
    """Run queued jobs, and those whose worker was lost, until SIGTERM or Ctrl-C."""
    if once and drain:
        raise InputError("--once and --drain say different things: give one of them")
    until: Until = "one" if once else "empty" if drain else "stopped"
    options = composition.WorkerOptions(db, artifacts, workers, accept_environment)
    runs = composition.make_worker(options, shown_progress, bundle_folder, poll, say)
    if runs.run(until) == signal.SIGINT:
        sys.exit(130)
