"""`autoprune export`: package a finished job's network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoprune import composition
from autoprune.cli.options import DEFAULT_DB, Artifacts, AsJson, Db, Job
from autoprune.cli.output import print_json, results
from autoprune.cli.progress import shown_progress
from autoprune.jobs.packaging import bundle_files, check_finished, export_job


def export(
    job: Job,
    out: Annotated[Path, typer.Option("--out", help="Folder to write the bundle to.")],
    db: Db = DEFAULT_DB,
    artifacts: Artifacts = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an older bundle.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write schedule.json, the pruned network's weights and ONNX file, and a report."""
    stores, record = composition.open_job(db, job, artifacts)
    check_finished(record)
    with shown_progress(record.what["trials"]) as progress:
        plan = composition.reopen(stores, record.id, progress, {}, accept_environment=True)
        export_job(stores.trials, record.id, plan, out, overwrite=overwrite)
    files = bundle_files(out)
    if as_json:
        print_json(files)
    else:
        for name, path in files.items():
            results.print(f"{name}: {path}", soft_wrap=True)
