"""What the parts of the trial store share."""

from __future__ import annotations

from sqlalchemy import Engine

from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.database import Database
from autoprune.trials.records import Json


class StoreBase:
    """A database and the folder beside it.

    Args:
        engine: of :func:`autoprune.trials.engine.connect`.
        artifacts: where files go.
    """

    def __init__(self, engine: Engine, artifacts: ArtifactFolder) -> None:
        self._database = Database(engine)
        self._artifacts = artifacts

    def address(self) -> Json:
        """How a process of its own reaches the database, for :mod:`autoprune.trials.heartbeat`."""
        engine = self._database.engine
        positional, named = engine.dialect.create_connect_args(engine.url)
        plain = {name: value for name, value in named.items() if isinstance(value, str | int)}
        return {"dialect": engine.dialect.name, "connect": [list(positional), plain]}
