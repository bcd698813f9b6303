"""Whether a database can be worked with; for programs that outlive its absences."""

from __future__ import annotations

from sqlalchemy import Engine

from autoprune.trials.migration import prepare


class Readiness:
    """A database that may be out of reach when the program starts.

    Args:
        engine: of :func:`autoprune.trials.engine.unconnected_engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen = False

    def check(self) -> None:
        """Ask the database, whatever it said before; an empty one gets its tables.

        Raises:
            DatabaseError: it cannot be reached.
            RevisionError: it is of another revision.
        """
        self._seen = False
        prepare(self._engine)
        self._seen = True

    def ensure(self) -> None:
        """The same, but once it was seen to be of this revision it is taken to stay so."""
        if not self._seen:
            self.check()
