"""What the parts of the trial store share."""

from __future__ import annotations

from sqlalchemy import Engine

from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.database import Database


class StoreBase:
    """A database and the folder beside it.

    Args:
        engine: of :func:`autoprune.trials.engine.connect`.
        artifacts: where files go.
    """

    def __init__(self, engine: Engine, artifacts: ArtifactFolder) -> None:
        self._database = Database(engine)
        self._artifacts = artifacts
