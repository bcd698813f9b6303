"""A database with a finished job, and a catalog: what a server is started over."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tiny_program import NETWORK, QUICK, SPACE, TINY, Said, expect_done, run_program

from autoprune.export.archive import archive_of
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.store import TrialStore

JOB = {
    "model": "tiny",
    "data": "tiny",
    "budget": "65%",
    "divisor": 16,
    "min_keep": 0.25,
    "trials": 4,
    "searcher": "legr",
    "fidelity": {"steps": 2, "batch_size": 16},
    "race_steps": 3,
    "finetune_epochs": 1,
}
"""A job for the catalog below; its table is the one that was measured."""


@dataclass(frozen=True)
class World:
    """A folder with a database that holds one finished job, and a catalog."""

    folder: Path
    db: str
    artifacts: Path
    job: str
    table: str
    bundle: bytes

    @property
    def store(self) -> TrialStore:
        return TrialStore(connect(self.db), ArtifactFolder(self.artifacts))

    @property
    def options(self) -> tuple[str | Path, ...]:
        catalog = self.folder / "catalog.yaml"
        return ("--db", self.db, "--artifacts", self.artifacts, "--catalog", catalog)

    def queue_copy(self) -> str:
        """Another job of what the finished one was asked for, which nobody has begun."""
        done = self.store.job(self.job)
        return self.store.create_job(done.what, done.what_hash, done.how, "env", done.base)

    def run(self, *words: str | Path) -> Said:
        """A command on the database, whatever server the environment names."""
        with patch.dict(os.environ):
            os.environ.pop("AUTOPRUNE_SERVER", None)
            return run_program(*words, "--db", self.db, folder=self.folder)

    def printed(self, *words: str) -> Any:
        """What a command prints of the database, as JSON."""
        return self.run(*words, "--json").json


CATALOG = f"models:\n  tiny: {{model: '{TINY}:network'}}\ndata:\n  tiny: '{TINY}:split_loaders'\n"


def measured_table(folder: Path) -> Path:
    """The tiny network's table, with its calibration."""
    expect_done(
        run_program(
            *("latency", "measure", "--model", f"{TINY}:network", "--input", "1x8x8", *SPACE),
            *("--out", "tiny.json", "--json"),
            folder=folder,
        )
    )
    return folder / "tiny.json"


def make_world(folder: Path, db: str, table_file: Path) -> World:
    artifacts = folder / "jobs.artifacts"
    found = run_program(
        *("search", *NETWORK, "--table", table_file, *QUICK, "--budget", "65%", "--json"),
        *("--db", db, "--artifacts", artifacts, "--out", "bundle"),
        folder=folder,
    )
    job = expect_done(found).json["job"]
    (folder / "catalog.yaml").write_text(CATALOG)
    bundle = archive_of(folder / "bundle")
    _keep_bundle(TrialStore(connect(db), ArtifactFolder(artifacts)), job, bundle)
    table = json.loads(table_file.read_text())["table"]["hash"]
    return World(folder, db, artifacts, job, table, bundle)


def _keep_bundle(store: TrialStore, job: str, bundle: bytes) -> None:
    """As a worker does at the end of a job."""
    sha256 = store.put_artifact(bundle, "bundle")
    lease = store.acquire(job, "worker", 60.0)
    store.commit(lease, results={"bundle_archive": sha256})
    store.release(lease)
