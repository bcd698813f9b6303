"""What jobs share: scores by everything that decides them, and files by their content."""

from __future__ import annotations

from typing import BinaryIO

from sqlalchemy import delete

from autoprune.trials import evaluations
from autoprune.trials.inserting import insert_new
from autoprune.trials.models import Artifact, utc_now
from autoprune.trials.records import TrialResult
from autoprune.trials.store_base import StoreBase


class SharedStore(StoreBase):
    """The part of the trial store that belongs to no job, so needs no lease."""

    def evaluation(self, key: str) -> TrialResult | None:
        """The score under a key, None when there is none."""
        with self._database.read() as session:
            return evaluations.find(session, key)

    def save_evaluation(self, key: str, result: TrialResult) -> None:
        """Keep a score for reuse, unless the key has one; failures are not kept."""
        with self._database.write() as session:
            evaluations.record(session, {key: result})

    def put_artifact(self, content: bytes, kind: str) -> str:
        """Store a file; returns its sha256.

        The file is durable before its row is written, so a row never stands for a torn file.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
        """
        name = self._artifacts.put(content)
        values = {"sha256": name, "size": len(content), "kind": kind, "created": utc_now()}
        with self._database.write() as session:
            insert_new(session, Artifact, values, "sha256")
        return name

    def get_artifact(self, sha256: str) -> bytes:
        """A file's content, checked; raises StorageError when it is missing or damaged."""
        return self._artifacts.get(sha256)

    def open_artifact(self, sha256: str) -> BinaryIO:
        """A file to be read piece by piece, checked before; close it. Raises as get_artifact."""
        return self._artifacts.open(sha256)

    def has_artifact(self, sha256: str) -> bool:
        """Whether the file is there."""
        return self._artifacts.exists(sha256)

    def delete_artifact(self, sha256: str) -> None:
        """Remove a file that can be made again; it may be gone already."""
        with self._database.write() as session:
            session.execute(delete(Artifact).where(Artifact.sha256 == sha256))
        self._artifacts.delete(sha256)
