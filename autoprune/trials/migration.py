"""Revisions of the trial database: which one it is, and the way to the newest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, inspect, select

from autoprune.errors import DatabaseError, RevisionError
from autoprune.trials.database import WRITES, shown, translated
from autoprune.trials.models import Base

VERSION_TABLE = "autoprune_revision"
"""A name of our own: other programs keep theirs in ``alembic_version``."""

SCRIPTS = Path(__file__).parent / "migrations"

_UPGRADE_LOCK = 0x6175_7072
"""Key of the PostgreSQL advisory lock under which tables are made and changed."""


@dataclass(frozen=True)
class Revision:
    """Where a database stands.

    Args:
        stored: revision of the database, None when it has none of our tables.
        head: revision this program reads and writes.
        state: ``foreign`` means that tables of our names are there, but not ours.
    """

    stored: str | None
    head: str
    state: Literal["empty", "older", "current", "newer", "foreign"]


def revision_state(engine: Engine) -> Revision:
    """Which revision a database is of."""
    with translated(engine.url), engine.connect() as connection:
        return _revision(connection)


def upgrade(engine: Engine) -> Revision:
    """Bring an empty or older database to the newest revision, in one transaction.

    Returns:
        Where it stood before.

    Raises:
        DatabaseError: it is newer than this program, or holds another program's tables.
    """
    with _exclusive(engine) as connection:
        before = _revision(connection)
        if before.state in ("newer", "foreign"):
            raise _unusable(engine, before)
        if before.state != "current":
            command.upgrade(_config(connection), "head")
    return before


def prepare(engine: Engine) -> None:
    """Make the tables in an empty database; refuse one of another revision."""
    found = revision_state(engine)
    if found.state == "empty":
        upgrade(engine)
    elif found.state != "current":
        raise _unusable(engine, found)


def _revision(connection: Connection) -> Revision:
    scripts = ScriptDirectory(str(SCRIPTS))
    head = scripts.get_current_head()
    if head is None:
        raise DatabaseError(f"autoprune lacks its migrations in {SCRIPTS}: install it again")
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    stored = context.get_current_revision()
    if stored is None:
        ours = set(Base.metadata.tables)
        foreign = ours & set(inspect(connection).get_table_names())
        return Revision(None, head, "foreign" if foreign else "empty")
    if stored == head:
        return Revision(stored, head, "current")
    known = {script.revision for script in scripts.walk_revisions()}
    return Revision(stored, head, "older" if stored in known else "newer")


def _unusable(engine: Engine, found: Revision) -> RevisionError:
    name = shown(engine.url)
    if found.state == "newer":
        return RevisionError(
            f"the trial database {name} is of revision {found.stored}, newer than this "
            f"autoprune, which writes {found.head}: install the newer autoprune, or name another "
            "database with --db"
        )
    if found.state == "older":
        return RevisionError(
            f"the trial database {name} is of revision {found.stored}, this autoprune writes "
            f"{found.head}: make a backup, end its running jobs, then run 'autoprune db upgrade'"
        )
    return RevisionError(
        f"the database {name} holds tables of another program that have the names of ours: use a "
        "database of its own for autoprune"
    )


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other change of tables runs beside."""
    writer = engine.execution_options(**{WRITES: True})
    with translated(engine.url), writer.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        yield connection


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    return config
