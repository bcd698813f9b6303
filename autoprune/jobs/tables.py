"""Getting a latency table for a job: the one it names, the newest that fits, or a new one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autoprune.errors import TableError
from autoprune.jobs.calibrating import calibrate
from autoprune.jobs.context import Progress
from autoprune.jobs.keys import hash_of
from autoprune.jobs.subject import Subject
from autoprune.spec import JobSpec
from autoprune.trials.table_store import TableStore
from latency_tables.build import METHOD, measure_operators
from latency_tables.calibration import Calibration
from latency_tables.device import this_device
from latency_tables.lock import measuring_lock
from latency_tables.runtimes import runtime
from latency_tables.storage import load
from latency_tables.table import Entry, Table, TableContext


@dataclass(frozen=True)
class PricedTable:
    """A sealed table with the calibration that makes its sums a network's latency."""

    table: Table
    calibration: Calibration

    @property
    def base_s(self) -> float:
        """Measured latency of the unpruned network in seconds: the calibration's first network."""
        return self.calibration.pairs[0][1]

    def describe(self) -> str:
        """One line on how far its predictions can be trusted."""
        return self.calibration.describe().partition(": ")[2]

    @property
    def is_of_this_device(self) -> bool:
        """Whether the table was measured on the machine this runs on."""
        return self.table.context.device.digest == this_device().digest


def obtain(spec: JobSpec, subject: Subject, tables: TableStore, progress: Progress) -> PricedTable:
    """The job's table and calibration; whatever is measured here is stored."""
    if spec.table is not None:
        table = _named(spec.table, tables)
    else:
        table = _newest(spec, subject, tables) or measure_table(spec, subject, tables, progress)
    _check_operators(subject, table)
    return with_calibration(subject, table, tables, progress)


def from_file(spec: JobSpec, subject: Subject) -> PricedTable | None:
    """The table and calibration in the file the job names; None where there is more to do.

    Nothing is stored, so that a job can be refused without a trace.

    Raises:
        TableFileError: the file is no table, or was altered.
        TableError: it is of another batch size, or lacks operators of this network.
    """
    if spec.table is None or not Path(spec.table).expanduser().exists():
        return None
    table, calibrations = load(Path(spec.table).expanduser())
    _check_operators(subject, table)
    fitting = [item for item in calibrations if item.network == subject.structure]
    return PricedTable(table, fitting[-1]) if fitting else None


def keep(priced: PricedTable, tables: TableStore) -> None:
    """Store a table and its calibration, where they are not stored yet."""
    table, calibration = priced.table, priced.calibration
    tables.seal(table.hash, context_key(table.context), table.to_json())
    tables.save_calibration(
        calibration.hash, table.hash, calibration.network, calibration.to_json()
    )


def pinned(table_hash: str, calibration_hash: str, tables: TableStore) -> PricedTable:
    """The table and calibration a job was frozen with."""
    table, calibration = tables.table(table_hash), tables.calibration(calibration_hash)
    if table is None or calibration is None:
        raise TableError(
            f"this database lacks the job's table {table_hash[:12]} or its calibration "
            f"{calibration_hash[:12]}: restore the database the job was started in"
        )
    return PricedTable(Table.from_json(table), Calibration.from_json(calibration))


def measure_table(spec: JobSpec, subject: Subject, tables: TableStore, progress: Progress) -> Table:
    """Measure what this network needs and the database does not hold yet; seal and store it."""
    port = runtime(spec.runtime)
    context = _context(spec)
    key = context_key(context)
    needed = {port.normalise(operator) for operator in subject.network.operators()}
    known = {
        entry.operator: entry
        for entry in (Entry.from_json(document) for document in tables.entries(key))
        if entry.operator in needed
    }
    progress("table", {"done": len(known), "total": len(needed)})

    def on_entry(entry: Entry) -> None:
        tables.save_entries(key, [entry.to_json()])

    with measuring_lock(on_wait=lambda: progress("waiting", {"for": "another measurement"})):
        entries = measure_operators(
            needed,
            runtime=port,
            batch=spec.batch,
            threads=spec.threads,
            known=known,
            on_entry=on_entry,
            on_progress=lambda done, total: progress("table", {"done": done, "total": total}),
        )
    table = Table(context, tuple(entries), METHOD)
    tables.seal(table.hash, key, table.to_json())
    return table


def context_key(context: TableContext) -> str:
    """Groups the measured entries that may stand in one table."""
    return hash_of(context.to_json())


def import_file(path: Path, tables: TableStore) -> Table:
    """Store the table of a file, with its calibrations; raises when the file was changed."""
    table, calibrations = load(path)
    tables.seal(table.hash, context_key(table.context), table.to_json())
    for calibration in calibrations:
        tables.save_calibration(
            calibration.hash, table.hash, calibration.network, calibration.to_json()
        )
    return table


def _context(spec: JobSpec) -> TableContext:
    port = runtime(spec.runtime)
    return TableContext(
        runtime=port.name,
        runtime_version=port.version(),
        batch=spec.batch,
        threads=spec.threads,
        device=this_device(),
    )


def _named(selector: str, tables: TableStore) -> Table:
    path = Path(selector).expanduser()
    if path.exists():
        return import_file(path, tables)
    document = tables.table(selector)
    if document is None:
        raise _unknown_table(selector)
    return Table.from_json(document)


def _newest(spec: JobSpec, subject: Subject, tables: TableStore) -> Table | None:
    """The newest table of this machine, where it prices every operator of this network."""
    document = tables.newest(context_key(_context(spec)))
    if document is None:
        return None
    table = Table.from_json(document)
    return None if _missing(subject, table) else table


def _missing(subject: Subject, table: Table) -> list[str]:
    port = runtime(table.context.runtime)
    measured = {entry.operator for entry in table.entries}
    needed = {port.normalise(operator) for operator in subject.network.operators()}
    return sorted(operator.label for operator in needed - measured)


def _check_operators(subject: Subject, table: Table) -> None:
    if table.context.batch != len(subject.example_input):
        raise TableError(
            f"table {table.hash[:12]} was measured at batch {table.context.batch}, the job asks "
            "for "
            f"batch {len(subject.example_input)}: set the job's batch, or measure another table"
        )
    missing = _missing(subject, table)
    if missing:
        raise TableError(
            f"table {table.hash[:12]} lacks {len(missing)} operators of this network, "
            f"{missing[0]} for one: measure them with 'autoprune latency measure --model MODEL'"
        )


def with_calibration(
    subject: Subject, table: Table, tables: TableStore, progress: Progress, *, again: bool = False
) -> PricedTable:
    """The table with its newest calibration for this network, measured now where there is none.

    Args:
        again: measure a new one whatever there is.
    """
    stored = [] if again else tables.calibrations(table.hash, subject.structure)
    if stored:
        return PricedTable(table, Calibration.from_json(stored[0].document))
    if table.context.device.digest != this_device().digest:
        raise TableError(
            f"table {table.hash[:12]} was measured on another device "
            f"({table.context.device.processor}) and has no calibration for this network: run "
            "'autoprune latency measure --model MODEL --out FILE' there, and give that file"
        )
    calibration = calibrate(subject, table, progress)
    tables.save_calibration(
        calibration.hash, table.hash, calibration.network, calibration.to_json()
    )
    return PricedTable(table, calibration)


def find_table(selector: str, tables: TableStore | None) -> tuple[Table, tuple[Calibration, ...]]:
    """A table by file or hash, with its calibrations."""
    path = Path(selector).expanduser()
    if path.exists():
        return load(path)
    document = tables.table(selector) if tables is not None else None
    if document is None or tables is None:
        raise _unknown_table(selector)
    table = Table.from_json(document)
    found = tables.calibrations(table.hash)
    return table, tuple(Calibration.from_json(item.document) for item in found)


def _unknown_table(selector: str) -> TableError:
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
