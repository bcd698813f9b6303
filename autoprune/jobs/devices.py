"""The tables of a job: one, or one for each device that the budget bounds by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from autoprune.errors import InputError, TableError
from autoprune.jobs.context import Progress
from autoprune.jobs.exporting import check_exportable
from autoprune.jobs.subject import Subject
from autoprune.jobs.tables import PricedTable, from_file, keep, obtain, pinned
from autoprune.spec import JobSpec
from autoprune.trials.records import Json
from autoprune.trials.table_store import TableStore
from latency_tables.runtimes import runs_here, runtime
from latency_tables.table import Table

Tables = Mapping[str, PricedTable]
"""By name, in the order of the budget; the only table has no name."""


def obtain_all(
    spec: JobSpec,
    subject: Subject,
    stored: Callable[[], TableStore],
    progress: Progress,
    known: TableStore | None = None,
    *,
    may_measure: bool = True,
) -> dict[str, PricedTable]:
    """Every table the job names, or the one that fits it.

    Args:
        stored: opens the database's tables; not called where files hold all there is to know.
        known: what the database holds already, for reading alone; None where there is none.
        may_measure: otherwise what is not stored is refused.

    Raises:
        TableError: a table cannot price this network; says which one.
    """
    found = {}
    for name, selector in spec.tables.items():
        single = _with_table(spec, name, selector)
        try:
            priced = from_file(single, subject, known)
            if priced is None:
                if selector is None:
                    check_exportable(subject, runtime(spec.runtime), spec.threads)
                priced = obtain(single, subject, stored(), progress, may_measure=may_measure)
            found[name] = priced
        except TableError as error:
            raise TableError(f"table {name!r}: {error}") if name else error from None
    return found


def _with_table(spec: JobSpec, name: str, selector: str | None) -> JobSpec:
    """The spec with one table alone; a named one brings its own runtime and threads."""
    if not name:
        return spec
    given = spec.model_dump(exclude_unset=True, exclude={"runtime", "threads"})
    pinned_to = spec.calibration.get(name) if isinstance(spec.calibration, dict) else None
    return JobSpec.model_validate({**given, "table": selector, "calibration": pinned_to})


def keep_all(tables: Tables, stored: TableStore) -> None:
    """Store what is not stored yet."""
    for priced in tables.values():
        keep(priced, stored)


def hashes_of(tables: Tables) -> Json:
    """What a job's ``what`` says of its tables: of one alone, or by name as well."""
    pairs = {
        name: {"table": priced.table.hash, "calibration": priced.calibration.hash}
        for name, priced in tables.items()
    }
    first = next(iter(pairs.values()))
    return first if "" in pairs else {**first, "tables": pairs}


def named_hashes(what: Json) -> dict[str, Json]:
    """What :func:`hashes_of` said, by name; the only table has none."""
    pairs: dict[str, Json] = what.get("tables", {"": what})
    return pairs


def pinned_all(what: Json, names: Iterable[str], stored: TableStore) -> dict[str, PricedTable]:
    """The tables and calibrations a job was frozen with, in the order of ``names``."""
    pairs = named_hashes(what)
    return {
        name: pinned(pairs[name]["table"], pairs[name]["calibration"], stored) for name in names
    }


def primary_of(tables: Tables) -> str:
    """The table that finalists are measured for: the first of this device, else the first."""
    here = [name for name, priced in tables.items() if priced.is_of_this_device]
    return next(iter([*here, *tables]))


def check_device(spec: JobSpec, table: Table) -> None:
    """A table of another device needs --unmeasured: its budget cannot be measured here."""
    if not runs_here(table.context.runtime, table.context.device) and not spec.unmeasured:
        device = table.context.device
        raise InputError(
            f"table {table.hash[:12]} was measured on another device ({device.processor}): "
            "what is exported cannot be measured here. Pass --unmeasured to export it as "
            "predicted, and run 'autoprune verify' on the device"
        )
