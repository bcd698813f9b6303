"""`autoprune resume`: go on with a stored job."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from autoprune import composition
from autoprune.cli.driving import bundle_folder, report, resumable
from autoprune.cli.options import (
    DEFAULT_DB,
    Artifacts,
    AsJson,
    Db,
    Job,
    Out,
    Queue,
    RayGpus,
    Workers,
)
from autoprune.cli.output import print_queued, say
from autoprune.cli.progress import shown_progress
from autoprune.cli.remote import RemoteServer, Server
from autoprune.errors import InputError
from autoprune.export.bundle import check_free
from autoprune.jobs.packaging import export_job, holds_bundle_of

_FINETUNE = {"finetune_epochs", "finetune_learning_rate"}


def resume(
    job: Job,
    db: Db = DEFAULT_DB,
    artifacts: Artifacts = None,
    workers: Workers = None,
    executor: Annotated[str | None, typer.Option("--executor", help="local or ray.")] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="Of a running Ray cluster.")
    ] = None,
    ray_gpus: RayGpus = None,
    accept_environment: Annotated[
        bool, typer.Option("--accept-environment", help="Go on although scores may differ here.")
    ] = False,
    train_device: Annotated[
        str | None,
        typer.Option("--train-device", help="Another one needs --accept-environment."),
    ] = None,
    finetune_epochs: Annotated[
        int | None,
        typer.Option("--finetune-epochs", help="Another final finetune, also of a finished job."),
    ] = None,
    finetune_learning_rate: Annotated[
        float | None, typer.Option("--finetune-learning-rate", help="Of the final finetune.")
    ] = None,
    unmeasured: Annotated[
        bool | None,
        typer.Option("--unmeasured", help="Export as predicted: the device is elsewhere."),
    ] = None,
    out: Out = None,
    queue: Queue = False,
    priority: Annotated[
        int | None,
        typer.Option("--priority", help="With --queue: workers take higher ones first."),
    ] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a job that was stopped, cancelled or killed; finetune a finished one again."""
    given: dict[str, Any] = {
        "db": db,
        "artifacts": artifacts,
        "workers": workers,
        "executor": executor,
        "address": address,
        "ray_gpus": ray_gpus,
        "train_device": train_device,
        "finetune_epochs": finetune_epochs,
        "finetune_learning_rate": finetune_learning_rate,
        "unmeasured": unmeasured,
        "out": out,
        "priority": priority,
    }
    overrides = {key: value for key, value in given.items() if value is not None}
    if server is not None:
        _check_bare(_words(overrides, accept_environment))
        print_queued(RemoteServer.at(server).change(job, "resume")["job"], as_json)
        return
    stores, record = composition.open_job(db, job, artifacts)
    if queue:
        composition.leave_to_workers(stores, record, overrides)
        print_queued(record.id, as_json)
        return
    if record.state == "cancelled":
        say(f"job {record.id} was cancelled; it goes on where it was stopped")
    told = stores.trials.told(record.id)
    with shown_progress(record.what["trials"], told) as progress:
        plan = composition.reopen(
            stores, record.id, progress, overrides, accept_environment=accept_environment
        )
    folder = bundle_folder(plan.spec, record.id)
    held = holds_bundle_of(folder, record.id)
    if not held:
        check_free(folder, overwrite=False)
    words = _words(overrides, accept_environment)
    shown = shown_progress(plan.spec.trials, told, summary_follows=not as_json)
    with resumable(record.id, db, words), shown as progress:
        composition.run(stores, record.id, plan, progress, accept_environment)
        again = record.state == "finished" and not _FINETUNE.isdisjoint(overrides)
        if again:
            composition.finetune_again(stores, record.id, plan, progress)
        if again or not held:
            export_job(stores.trials, record.id, plan, folder, overwrite=held)
    report(stores, record.id, plan.spec, as_json)


def _check_bare(words: list[str]) -> None:
    """A server's workers go on with a job as it was submitted.

    Raises:
        InputError: other options were given.
    """
    given = [word for word in words if word.startswith("--")]
    if given:
        raise InputError(
            f"with --server a job goes on as it was submitted: leave {', '.join(given)} out, or "
            "resume it where the database is, with --db"
        )


def _words(overrides: dict[str, Any], accept_environment: bool) -> list[str]:
    """The options that a resume was given, for the next one."""
    words = ["--accept-environment"] if accept_environment else []
    for field, value in overrides.items():
        if field != "db":
            option = f"--{field.replace('_', '-')}"
            words += [option] if value is True else [option, str(value)]
    return words
