"""`autoprune export`: package a finished job's network, or a kit that measures it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, Artifacts, AsJson, Db, Job
from autoprune.cli.output import print_json, results
from autoprune.cli.progress import shown_progress
from autoprune.cli.remote import RemoteServer, Server
from autoprune.cli.remote_bundle import fetch_bundle
from autoprune.errors import InputError
from autoprune.export.bundle import check_free
from autoprune.jobs.kit import export_kit
from autoprune.jobs.packaging import bundle_files, check_finished, export_job


def export(
    job: Job,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write the bundle to.")
    ] = None,
    kit: Annotated[
        Path | None,
        typer.Option(
            "--kit",
            help="Zip to write that measures the finalists on a device with onnxruntime alone.",
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers", help="answers.json of the job's kit: exports the finalist that fits there."
        ),
    ] = None,
    db: Db = DEFAULT_DB,
    artifacts: Artifacts = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an older bundle.")
    ] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Write a finished job's bundle, or a kit that measures its finalists on another device."""
    if out is None and (kit is None or answers is not None):
        raise InputError("say what to write: --out FOLDER for the bundle, --kit FILE.zip for a kit")
    if server is not None:
        _print_files(_fetch(server, job, out, kit, overwrite), as_json)
        return
    if out is not None:
        check_free(out, overwrite)
    stores, record = composition.open_job(db, job, artifacts)
    check_finished(record)
    files: dict[str, str] = {}
    with shown_progress(record.what["trials"]) as progress:
        # Answers may ask for another finetune, which any device can do.
        overrides = {} if composition.trains_here(record) else {"train_device": "cpu"}
        plan = composition.reopen(stores, record.id, progress, overrides, accept_environment=True)
        if answers is not None:
            composition.take_answers(stores, record.id, plan, answers, progress)
        if kit is not None:
            build = composition.bench_for(plan).build
            export_kit(stores.trials, record.id, plan, build, kit)
            files["kit"] = str(kit)
        if out is not None:
            export_job(stores.trials, record.id, plan, out, overwrite=overwrite)
            files |= bundle_files(out)
    _print_files(files, as_json)


def _fetch(
    url: str, job: str, out: Path | None, kit: Path | None, overwrite: bool
) -> dict[str, str]:
    if kit is not None or out is None:
        raise InputError("a kit is made where the database is: with --server give --out FOLDER")
    fetch_bundle(RemoteServer.at(url), job, out, overwrite)
    return bundle_files(out)


def _print_files(files: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json(files)
    else:
        for name, path in files.items():
            results.print(f"{name}: {path}", soft_wrap=True)
