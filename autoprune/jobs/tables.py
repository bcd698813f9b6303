"""Getting a latency table for a job: the one it names, the newest that fits, or a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoprune.errors import TableError
from autoprune.jobs.calibrating import CALIBRATION_NETWORKS, CHECK_NETWORKS, calibrate
from autoprune.jobs.context import Progress
from autoprune.jobs.load import LoadReport, warn_of_load
from autoprune.jobs.subject import Subject
from autoprune.jobs.table_files import (
    context_key,
    entries_key,
    import_file,
    keep_table,
    unknown_table,
)
from autoprune.jobs.table_fit import check_fits, missing_in
from autoprune.spec import JobSpec
from autoprune.trials.table_store import TableStore
from latency_tables.build import METHOD, measure_operators
from latency_tables.calibration import Calibration
from latency_tables.lock import measuring_lock
from latency_tables.operators import Operator
from latency_tables.runtimes import device_of, runs_here, runtime
from latency_tables.storage import load
from latency_tables.table import Entry, Table, TableContext


@dataclass(frozen=True)
class PricedTable:
    """A sealed table with the calibration that makes its sums a network's latency.

    Args:
        newest_of: how many calibrations there are for the network, where the newest was taken.
    """

    table: Table
    calibration: Calibration
    newest_of: int | None = None

    @property
    def base_s(self) -> float:
        """Measured latency of the unpruned network in seconds: the calibration's first network."""
        return self.calibration.pairs[0][1]

    def describe(self) -> str:
        """One line on how far its predictions can be trusted."""
        return self.calibration.describe().partition(": ")[2]

    def describe_choice(self) -> str:
        """The same, with which calibration it is where there were several to take."""
        said = f"calibration {self.calibration.hash[:12]}"
        if self.newest_of is not None and self.newest_of > 1:
            said += f", the newest of {self.newest_of} (--calibration takes another)"
        return f"{said}: {self.describe()}"

    @property
    def is_of_this_device(self) -> bool:
        """Whether the table was measured on the machine this runs on."""
        return runs_here(self.table.context.runtime, self.table.context.device)


def obtain(
    spec: JobSpec,
    subject: Subject,
    tables: TableStore,
    progress: Progress,
    *,
    may_measure: bool = True,
) -> PricedTable:
    """The job's table and calibration; whatever is measured here is stored.

    Args:
        may_measure: otherwise what is not stored is refused.
    """
    table = obtain_table(spec, subject, tables, progress, may_measure=may_measure)
    return with_calibration(
        subject,
        table,
        tables,
        progress,
        pinned_to=spec.only_calibration,
        may_measure=may_measure,
    )


def obtain_table(
    spec: JobSpec,
    subject: Subject,
    tables: TableStore,
    progress: Progress,
    *,
    may_measure: bool = True,
) -> Table:
    """The table the spec names, the newest that fits, or a new one.

    Raises:
        TableError: the named one is not known, or not of what the spec asks for; or none fits and
            none may be measured.
    """
    if spec.only_table is not None:
        table = _named(spec.only_table, tables)
    elif (newest := _newest(spec, subject, tables)) is not None:
        table = newest
    elif may_measure:
        table = measure_table(spec, subject, tables, progress)
    else:
        raise _nothing_stored(spec)
    check_fits(spec, subject, table)
    return table


def check_stored(spec: JobSpec, tables: TableStore) -> None:
    """Refuse a spec that names no table where none of its conditions is stored.

    This needs no network: whether a stored one prices it is seen later.

    Raises:
        TableError: says what to do.
    """
    if spec.tables.get("", "") is None and tables.newest(context_key(_context(spec))) is None:
        raise _nothing_stored(spec)


def _nothing_stored(spec: JobSpec) -> TableError:
    return TableError(
        f"no stored table of this machine ({spec.runtime}, batch {spec.batch}, threads "
        f"{spec.threads}) prices {spec.model}, and none is measured here: measure one with "
        "'autoprune latency measure --model MODEL', or store one and name it by its hash as table"
    )


def from_file(
    spec: JobSpec, subject: Subject, tables: TableStore | None = None
) -> PricedTable | None:
    """The table and calibration in the file the job names; None where there is more to do.

    Nothing is stored, so that a job can be refused without a trace. The newest calibration counts:
    where the database holds the file's, its own newest, which was learned after that one.

    Args:
        tables: of the database, where there is one.

    Raises:
        TableFileError: the file is no table, or was altered.
        TableError: it is of another batch size, or lacks operators of this network.
    """
    if spec.only_table is None or not Path(spec.only_table).expanduser().exists():
        return None
    table, calibrations = load(Path(spec.only_table).expanduser())
    check_fits(spec, subject, table)
    known = _stored_calibrations(table, subject, tables)  # newest first
    seen = {item.hash for item in known}
    of_file = [item for item in reversed(calibrations) if item.network == subject.structure]
    return _choose(
        [*(c for c in of_file if c.hash not in seen), *known], table, spec.only_calibration
    )


def _stored_calibrations(
    table: Table, subject: Subject, tables: TableStore | None
) -> list[Calibration]:
    stored = [] if tables is None else tables.calibrations(table.hash, subject.structure)
    return [Calibration.from_json(item.document) for item in stored]


def _choose(
    calibrations: Sequence[Calibration], table: Table, wanted: str | None
) -> PricedTable | None:
    """The newest, which is the first, or the one whose hash starts as wanted."""
    if wanted is None:
        return PricedTable(table, calibrations[0], len(calibrations)) if calibrations else None
    named = [item for item in calibrations if wanted and item.hash.startswith(wanted.lower())]
    if len(named) == 1:
        return PricedTable(table, named[0])
    there_is = ", ".join(item.hash[:12] for item in calibrations) or "none"
    raise TableError(
        f"{wanted!r} names {len(named)} calibrations of table {table.hash[:12]} for this network, "
        f"expected one; there is: {there_is}"
    )


def keep(priced: PricedTable, tables: TableStore) -> None:
    """Store a table and its calibration, where they are not stored yet."""
    keep_table(priced.table, [priced.calibration], tables)


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
    """Measure what this network needs and the database does not hold yet; seal and store it.

    Raises:
        UnsupportedOperatorError: the runtime cannot run an operator.
    """
    port = runtime(spec.runtime)
    context = _context(spec)
    needed = {port.normalise(operator) for operator in subject.network.operators()}
    warn_of_load(progress)
    with measuring_lock(on_wait=lambda: progress("waiting", {"for": "another measurement"})):
        entries = _measured(spec, context, needed, tables, progress)
    table = Table(context, tuple(entries), METHOD)
    tables.seal(table.hash, context_key(context), table.to_json())
    return table


def _measured(
    spec: JobSpec,
    context: TableContext,
    needed: set[Operator],
    tables: TableStore,
    progress: Progress,
) -> list[Entry]:
    """The entries of all that is needed; each new one is stored as soon as it is there."""
    key = entries_key(context)
    stored = (Entry.from_json(document) for document in tables.entries(key))
    known = {entry.operator: entry for entry in stored if entry.operator in needed}
    load = LoadReport(progress)
    progress("table", {"done": len(known), "total": len(needed)})
    entries = measure_operators(
        needed,
        runtime=runtime(spec.runtime),
        batch=spec.batch,
        threads=spec.threads,
        known=known,
        on_entry=lambda entry: tables.save_entries(key, [entry.to_json()]),
        on_progress=lambda done, _: progress(
            "table", {"done": len(known) + done, "total": len(needed)}
        ),
        on_load=load.seen,
    )
    load.ended(sum(entry.sample.noisy for entry in entries), len(entries))
    return entries


def _context(spec: JobSpec) -> TableContext:
    port = runtime(spec.runtime)
    return TableContext(
        runtime=port.name,
        runtime_version=port.version(),
        batch=spec.batch,
        threads=spec.threads,
        device=device_of(port),
        dtype=port.dtype,
    )


def _named(selector: str, tables: TableStore) -> Table:
    path = Path(selector).expanduser()
    if path.exists():
        return import_file(path, tables)
    document = tables.table(selector)
    if document is None:
        raise unknown_table(selector)
    return Table.from_json(document)


def _newest(spec: JobSpec, subject: Subject, tables: TableStore) -> Table | None:
    """The newest table of this machine, where it prices every operator of this network."""
    document = tables.newest(context_key(_context(spec)))
    if document is None:
        return None
    table = Table.from_json(document)
    return None if missing_in(subject.network, table) else table


def with_calibration(
    subject: Subject,
    table: Table,
    tables: TableStore,
    progress: Progress,
    *,
    again: bool = False,
    pinned_to: str | None = None,
    may_measure: bool = True,
) -> PricedTable:
    """The table with its newest calibration for this network, measured now where there is none.

    Args:
        again: measure a new one, on more networks, whatever there is.
        pinned_to: the start of one calibration's hash, to be taken instead of the newest.
        may_measure: otherwise a table without a calibration is refused.
    """
    stored = [] if again else _stored_calibrations(table, subject, tables)
    priced = _choose(stored, table, pinned_to)
    if priced is not None:
        return priced
    if not runs_here(table.context.runtime, table.context.device):
        raise TableError(
            f"table {table.hash[:12]} was measured on another device "
            f"({table.context.device.processor}) and has no calibration for this network: run "
            "'autoprune latency measure --model MODEL --out FILE' there, and give that file"
        )
    if not may_measure:
        raise TableError(
            f"table {table.hash[:12]} has no calibration for this network, and none is measured "
            "here: make one with 'autoprune latency check --model MODEL --table HASH'"
        )
    networks = CHECK_NETWORKS if again else CALIBRATION_NETWORKS
    calibration = calibrate(subject, table, progress, networks)
    tables.save_calibration(
        calibration.hash, table.hash, calibration.network, calibration.to_json()
    )
    return PricedTable(table, calibration)
