"""Latency tables and calibrations, as the JSON documents their makers hash.

A sealed document never changes. What is still being measured is kept entry by entry, under the
context (device, runtime, batch, threads...) it is measured in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select

from autoprune.errors import InputError, TableError
from autoprune.trials.database import Database
from autoprune.trials.inserting import insert_new, insert_on
from autoprune.trials.models import Calibration, LatencyTable, TableEntry, utc_now
from autoprune.trials.records import Json


@dataclass(frozen=True)
class StoredTable:
    """What the list of tables shows of one."""

    hash: str
    context_key: str
    created: str


@dataclass(frozen=True)
class StoredCalibration:
    """A calibration with what it belongs to."""

    hash: str
    table_hash: str
    network: str
    document: Json
    created: str


class TableStore:
    """Latency tables and calibrations.

    Legal order::

        store.save_entries(context, [entry])       # as they come; entries(context) after a crash
        store.seal(hash, context, document)
        store.save_calibration(hash, table_hash, network, document)

    Args:
        engine: of :func:`autoprune.trials.engine.connect`.
    """

    def __init__(self, engine: Engine) -> None:
        self._database = Database(engine)

    def save_entries(self, context_key: str, entries: Sequence[Json]) -> None:
        """Keep measured entries; an operator measured again replaces its entry.

        Args:
            context_key: what entries may be mixed under.
            entries: each with the JSON of its operator under ``operator``.
        """
        by_operator = {_operator_key(entry): entry for entry in entries}
        rows = [
            {"context_key": context_key, "operator": key, "entry": entry, "created": utc_now()}
            for key, entry in sorted(by_operator.items())
        ]
        with self._database.write() as session:
            for row in rows:
                statement = insert_on(session, TableEntry, row)
                changed = {"entry": statement.excluded.entry, "created": statement.excluded.created}
                session.execute(
                    statement.on_conflict_do_update(
                        index_elements=["context_key", "operator"], set_=changed
                    )
                )

    def entries(self, context_key: str) -> list[Json]:
        """The entries kept under a context, in the order of their operators."""
        rows = select(TableEntry).where(TableEntry.context_key == context_key)
        with self._database.read() as session:
            return [row.entry for row in session.scalars(rows.order_by(TableEntry.operator))]

    def seal(self, hash: str, context_key: str, document: Json) -> None:
        """Keep a table under its content hash; again with the same content changes nothing.

        Raises:
            TableError: another document is sealed under this hash.
        """
        row = {"hash": hash, "context_key": context_key, "document": document, "created": utc_now()}
        with self._database.write() as session:
            insert_new(session, LatencyTable, row, "hash")
            stored = select(LatencyTable.document).where(LatencyTable.hash == hash)
            _check_same("table", hash, session.execute(stored).scalar_one(), document)

    def table(self, hash: str) -> Json | None:
        """A table by its hash, or by the start of it where only one table's hash starts so.

        Raises:
            InputError: several tables' hashes start so.
        """
        if not hash:
            return None
        matches = LatencyTable.hash.startswith(hash.lower(), autoescape=True)
        with self._database.read() as session:
            rows = session.scalars(select(LatencyTable).where(matches).limit(2)).all()
            if len(rows) > 1:
                raise InputError(f"{hash!r} is the start of several tables: give more of it")
            return rows[0].document if rows else None

    def newest(self, context_key: str) -> Json | None:
        """The table sealed last under a context."""
        rows = select(LatencyTable.document).where(LatencyTable.context_key == context_key)
        with self._database.read() as session:
            return session.scalars(rows.order_by(LatencyTable.id.desc()).limit(1)).one_or_none()

    def tables(self) -> list[StoredTable]:
        """All sealed tables, newest first."""
        rows = select(LatencyTable.hash, LatencyTable.context_key, LatencyTable.created)
        with self._database.read() as session:
            found = session.execute(rows.order_by(LatencyTable.id.desc()))
            return [StoredTable(row.hash, row.context_key, row.created) for row in found]

    def page(self, limit: int, before: int | None = None) -> list[tuple[int, str]]:
        """Number and hash of at most ``limit`` tables, newest first, of lower numbers than one."""
        rows = select(LatencyTable.id, LatencyTable.hash).order_by(LatencyTable.id.desc())
        if before is not None:
            rows = rows.where(LatencyTable.id < before)
        with self._database.read() as session:
            return [(row.id, row.hash) for row in session.execute(rows.limit(limit))]

    def save_calibration(self, hash: str, table_hash: str, network: str, document: Json) -> None:
        """Keep a calibration of a sealed table; again with the same content changes nothing.

        Raises:
            TableError: the table is not in this database, or another document has this hash.
        """
        row = {
            "hash": hash,
            "table_hash": table_hash,
            "network": network,
            "document": document,
            "created": utc_now(),
        }
        with self._database.write() as session:
            table = select(LatencyTable.id).where(LatencyTable.hash == table_hash)
            if session.execute(table).one_or_none() is None:
                raise TableError(f"no table {table_hash} in this database: seal it first")
            insert_new(session, Calibration, row, "hash")
            stored = select(Calibration.document).where(Calibration.hash == hash)
            _check_same("calibration", hash, session.execute(stored).scalar_one(), document)

    def calibration(self, hash: str) -> Json | None:
        """A calibration by its whole hash."""
        with self._database.read() as session:
            rows = select(Calibration.document).where(Calibration.hash == hash)
            return session.scalars(rows).one_or_none()

    def calibrations(self, table_hash: str, network: str | None = None) -> list[StoredCalibration]:
        """Calibrations of a table, of one network or of all, newest first."""
        rows = select(Calibration).where(Calibration.table_hash == table_hash)
        if network is not None:
            rows = rows.where(Calibration.network == network)
        with self._database.read() as session:
            return [
                StoredCalibration(row.hash, row.table_hash, row.network, row.document, row.created)
                for row in session.scalars(rows.order_by(Calibration.id.desc()))
            ]


def _operator_key(entry: Json) -> str:
    if "operator" not in entry:
        raise TableError(f"an entry must name its operator under 'operator', got {sorted(entry)}")
    return json.dumps(entry["operator"], sort_keys=True, separators=(",", ":"))


def _check_same(kind: str, hash: str, stored: Json, given: Json) -> None:
    if json.dumps(stored, sort_keys=True) != json.dumps(given, sort_keys=True):
        raise TableError(
            f"a {kind} with other content is sealed under {hash}: a sealed one never changes; give "
            "the new one the hash of its own content"
        )
