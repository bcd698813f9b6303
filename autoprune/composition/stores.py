"""Opening a trial database with what lies beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect, default_artifacts
from autoprune.trials.records import JobRecord
from autoprune.trials.store import TrialStore
from autoprune.trials.table_store import TableStore


@dataclass(frozen=True)
class Stores:
    """One trial database with its tables and artifacts."""

    trials: TrialStore
    tables: TableStore


def open_stores(db: str, artifacts: str | None = None, *, create: bool = True) -> Stores:
    """Open the database and the artifact folder beside it.

    Args:
        create: make a database that is missing; otherwise that is an InputError.
    """
    engine = connect(db, create=create)
    folder = ArtifactFolder(Path(artifacts) if artifacts else default_artifacts(engine))
    folder.sweep()
    return Stores(TrialStore(engine, folder), TableStore(engine))


def open_job(db: str, job: str, artifacts: str | None = None) -> tuple[Stores, JobRecord]:
    """Open a stored job with its artifacts, which are where they were when it was submitted."""
    record = records_of(db).job(job)
    stores = open_stores(db, artifacts or record.how["spec"]["artifacts"], create=False)
    return stores, record


def records_of(db: str) -> TrialStore:
    """The jobs and trials of a database alone; see :func:`without_artifacts`."""
    return without_artifacts(connect(db, create=False)).trials


def without_artifacts(engine: Engine) -> Stores:
    """The stores of a database whose artifacts cannot be reached."""
    return Stores(TrialStore(engine, ArtifactFolder(Path(os.devnull))), TableStore(engine))
