"""Rows that may be there already: the ON CONFLICT clause that both dialects have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from autoprune.trials.models import Base


def insert_on(session: Session, table: type[Base], values: Mapping[str, Any]) -> Any:
    """An INSERT of the dialect in use, for the ON CONFLICT clause both have."""
    name = session.get_bind().dialect.name
    dialect_insert = postgresql.insert if name == "postgresql" else sqlite.insert
    return dialect_insert(table).values(values)


def insert_new(session: Session, table: type[Base], values: Mapping[str, Any], *key: str) -> bool:
    """Insert a row, or leave the one that is there.

    Args:
        key: columns of which no two rows have the same values.

    Returns:
        Whether the row is new.
    """
    statement = insert_on(session, table, values).on_conflict_do_nothing(index_elements=key)
    columns = [getattr(table, column) for column in key]
    return session.execute(statement.returning(*columns)).one_or_none() is not None
