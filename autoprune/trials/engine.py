"""Opening a trial database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from autoprune.errors import DatabaseError
from autoprune.extras import install_command
from autoprune.secret_files import read_secret
from autoprune.trials.column_types import json_text
from autoprune.trials.database import WRITES, shown, translated
from autoprune.trials.migration import prepare

BUSY_S = 60.0
"""How long a writer waits for its turn."""

PASSWORD_FILE = "AUTOPRUNE_DB_PASSWORD_FILE"
"""Names a file with PostgreSQL's password, for addresses that hold none."""

_CONNECT_S = 10


def connect(url: str, *, create: bool = True) -> Engine:
    """Open a trial database, ready for use; an empty one gets its tables.

    Args:
        url: a path, ``sqlite:///path`` or ``postgresql://user@host/name``.
        create: make a SQLite file (and its folder) where there is none.

    Raises:
        DatabaseError: it cannot be opened, is of another revision, or is something else.
    """
    engine = open_engine(url, create=create)
    try:
        prepare(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_engine(url: str, *, create: bool = True) -> Engine:
    """Open a database of any revision, for ``autoprune db upgrade``; see :func:`connect`."""
    engine = unconnected_engine(url, create=create)
    with translated(engine.url), engine.connect():
        return engine


def unconnected_engine(url: str, *, create: bool = True) -> Engine:
    """The engine of a database that may be out of reach yet; see :func:`connect`.

    Raises:
        DatabaseError: the address cannot be read, or there is no such file.
        InputError: the file of PostgreSQL's password cannot be read.
    """
    parsed = _parse(url)
    in_a_file = parsed.get_backend_name() == "sqlite"
    return _sqlite(parsed, create) if in_a_file else _postgres(parsed)


def default_artifacts(engine: Engine) -> Path:
    """The artifact folder beside a SQLite database: ``jobs.db`` has ``jobs.artifacts``.

    Raises:
        DatabaseError: a PostgreSQL database has no folder beside it.
    """
    if engine.dialect.name != "sqlite":
        raise DatabaseError(
            f"the database {shown(engine.url)} is on a server: say with --artifacts which folder, "
            "shared by all drivers, holds the artifacts"
        )
    return Path(str(engine.url.database)).with_suffix(".artifacts")


def _parse(url: str) -> URL:
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The address is not repeated: it may hold a password.
        raise DatabaseError(
            "the address cannot be read: expected postgresql://USER:PASSWORD@HOST:PORT/NAME "
            "with a number for PORT and %XX for special characters, or the path of a SQLite file"
        ) from error
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite":
        return parsed
    raise DatabaseError(
        f"unknown kind of database {parsed.drivername!r}: give the path of a SQLite file, "
        "sqlite:///PATH or postgresql://USER@HOST/NAME"
    )


def _postgres(url: URL) -> Engine:
    # Beside the address and not in it: messages show the address.
    password = None if url.password else read_secret(PASSWORD_FILE)
    try:
        return create_engine(
            url,
            json_serializer=json_text,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": _CONNECT_S,
                **({} if password is None else {"password": password}),
            },
        )
    except ImportError as error:
        raise DatabaseError(
            f"PostgreSQL needs psycopg, which is not installed: {install_command('postgres')}"
        ) from error


def _sqlite(url: URL, create: bool) -> Engine:
    engine = create_engine(
        _located(url, create), json_serializer=json_text, connect_args={"timeout": BUSY_S}
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _located(url: URL, create: bool) -> URL:
    """The URL with an absolute path, so that a change of folder changes nothing."""
    if not url.database or url.database == ":memory:":
        raise DatabaseError(
            "a database in memory cannot be resumed from: give the path of a SQLite file"
        )
    if url.database.startswith("file:"):
        return url
    path = Path(url.database).expanduser().absolute()
    if not create and not path.exists():
        raise DatabaseError(
            f"there is no trial database {path}: name the right one with --db, or make it by "
            "submitting a job to it with 'autoprune search' (for workers: with --queue)"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"the folder of the trial database {path}: {error}") from error
    return url.set(database=str(path))


def _configure(connection: sqlite3.Connection, _record: Any) -> None:
    # The sqlite3 module must begin no transaction of its own: _begin does (recipe of the pysqlite
    # dialect's documentation that works on every Python version).
    connection.isolation_level = None
    _enter_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; the switch itself does not wait on the busy timeout."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise DatabaseError(
            f"SQLite cannot use its write-ahead log there (journal mode stays {mode!r}): put the "
            "database on a local disk, or use PostgreSQL"
        )


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another one wrote in
    # between, whatever the busy timeout: writers take the write lock at their start.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
