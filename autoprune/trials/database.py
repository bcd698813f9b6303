"""Transactions on the trial database, and the driver's errors in words a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from autoprune.errors import AutopruneError, DatabaseError, StorageError
from autoprune.trials.interrupts import uninterrupted

WRITES = "autoprune_writes"
"""Execution option of a connection whose transactions write."""

_POSTGRES_DISK_FULL = "53100"
_POSTGRES_READ_ONLY = "25006"
_FULL = ("SQLITE_FULL", "SQLITE_IOERR")


class Database:
    """One engine; every use of it is one transaction, committed when its block ends well."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(**{WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self._session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write; on SQLite it waits for its turn before it reads.

        Raises:
            DatabaseError: the database cannot be reached or written.
            StorageError: the disk is full or failing.
        """
        with self._session(self._writer) as session:
            yield session

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        with (
            uninterrupted(),
            translated(engine.url),
            Session(engine) as session,
            session.begin(),
        ):
            yield session


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn a driver's error into one of ours; nothing of the transaction was kept."""
    try:
        yield
    except DBAPIError as error:
        raise _explained(shown(url), error) from error


def shown(url: URL) -> str:
    """The database as messages name it: a path, or a URL without its password."""
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    return url.render_as_string(hide_password=True)


def _explained(name: str, error: DBAPIError) -> AutopruneError:
    code = _code_of(error)
    reason = " ".join(str(error.orig).split())
    if code.startswith(_FULL) or code == _POSTGRES_DISK_FULL:
        return StorageError(
            f"the trial database {name} could not be written ({reason}); nothing of this step was "
            "kept: free space on its disk, then resume the job"
        )
    if code.startswith("SQLITE_NOTADB"):
        return DatabaseError(
            f"{name} is a file, but not a SQLite database: name another one with --db"
        )
    if code.startswith("SQLITE_READONLY") or code == _POSTGRES_READ_ONLY:
        return DatabaseError(
            f"the trial database {name} is read-only: make the file and its folder writable, "
            "or name another one with --db"
        )
    if code.startswith("SQLITE_CORRUPT"):
        return DatabaseError(
            f"the trial database {name} is damaged ({reason}): restore it from a backup"
        )
    if code.startswith("SQLITE_BUSY"):
        return DatabaseError(
            f"the trial database {name} stayed locked by another process: end what holds it (a "
            "backup, an open shell), then resume the job"
        )
    return DatabaseError(
        f"the trial database {name} cannot be used: {reason}. Check the address given with --db, "
        "that the server runs or the folder exists, and that you may write there"
    )


def _code_of(error: DBAPIError) -> str:
    """sqlite3 names its codes, psycopg numbers them (SQLSTATE)."""
    for attribute in ("sqlite_errorname", "sqlstate"):
        code = getattr(error.orig, attribute, None)
        if code is not None:
            return str(code)
    return ""
