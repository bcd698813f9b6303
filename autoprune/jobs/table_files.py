"""Tables that come from files or a database, and go there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoprune.errors import TableError
from autoprune.jobs.keys import hash_of
from autoprune.trials.table_store import TableStore
from latency_tables.build import METHOD
from latency_tables.calibration import Calibration
from latency_tables.errors import IncompatibleTablesError
from latency_tables.merging import carried, check_same_conditions, merge
from latency_tables.storage import load
from latency_tables.table import Entry, Table, TableContext


@dataclass(frozen=True)
class MergedTable:
    """One table of several.

    Args:
        calibrations: those that hold for the merged table as they did for their own.
        left_out: how many do not.
    """

    table: Table
    calibrations: tuple[Calibration, ...]
    left_out: int


def context_key(context: TableContext) -> str:
    """Under which a database looks for the newest table of these conditions."""
    return hash_of(context.to_json())


def entries_key(context: TableContext) -> str:
    """Under which a database keeps entries that may stand in one table: also of one method."""
    return hash_of({"context": context.to_json(), "method": dict(METHOD)})


def read_file(path: Path) -> tuple[Table, tuple[Calibration, ...]]:
    """A table file's table with its calibrations, the newest last.

    Raises:
        TableFileError: it is none, was altered, or is of a newer format.
    """
    return load(path.expanduser())


def find_calibrations(hash: str, tables: TableStore) -> list[Calibration]:
    """The calibrations of a stored table, the newest last."""
    return [Calibration.from_json(item.document) for item in reversed(tables.calibrations(hash))]


def find_table(selector: str, tables: TableStore | None) -> tuple[Table, tuple[Calibration, ...]]:
    """A table by file or hash, with its calibrations, the newest last."""
    path = Path(selector).expanduser()
    if path.exists():
        return read_file(path)
    document = tables.table(selector) if tables is not None else None
    if document is None or tables is None:
        raise unknown_table(selector)
    table = Table.from_json(document)
    return table, tuple(find_calibrations(table.hash, tables))


def unknown_table(selector: str) -> TableError:
    """What to raise where a selector names nothing."""
    return TableError(
        f"no table {selector!r}: it is neither a file nor the hash of a table in this database; "
        "write one with 'autoprune latency measure --model MODEL --out FILE'"
    )


def all_tables(tables: TableStore | None) -> list[Table]:
    """Every table of a database, newest first."""
    if tables is None:
        return []
    documents = [tables.table(stored.hash) for stored in tables.tables()]
    return [Table.from_json(document) for document in documents if document is not None]


def import_file(path: Path, tables: TableStore) -> Table:
    """Store the table of a file, with its calibrations; raises when the file was changed."""
    table, calibrations = read_file(path)
    keep_table(table, calibrations, tables)
    return table


def keep_table(table: Table, calibrations: Sequence[Calibration], tables: TableStore) -> None:
    """Store a table; its operators are then not measured again for another network."""
    tables.seal(table.hash, context_key(table.context), table.to_json())
    for calibration in calibrations:
        tables.save_calibration(
            calibration.hash, table.hash, calibration.network, calibration.to_json()
        )
    if dict(table.method) == dict(METHOD):
        key = entries_key(table.context)
        known = {Entry.from_json(document).operator for document in tables.entries(key)}
        new = [entry.to_json() for entry in table.entries if entry.operator not in known]
        tables.save_entries(key, new)


def merge_files(paths: Sequence[Path]) -> MergedTable:
    """One table of several files; where an operator is in several, the last file's entry counts.

    Raises:
        TableFileError: one of them cannot be used.
        IncompatibleTablesError: two differ in what latencies depend on; names files and field.
    """
    loaded = [read_file(path) for path in paths]
    first = loaded[0][0]
    for path, (table, _) in zip(paths, loaded, strict=True):
        try:
            check_same_conditions(first, table)
        except IncompatibleTablesError as error:
            raise IncompatibleTablesError(f"{paths[0]} and {path}: {error}") from None
    merged = merge([table for table, _ in loaded])
    found = [
        carried(calibration, table, merged)
        for table, calibrations in loaded
        for calibration in calibrations
    ]
    kept = {each.hash: each for each in found if each is not None}
    return MergedTable(merged, tuple(kept.values()), found.count(None))
