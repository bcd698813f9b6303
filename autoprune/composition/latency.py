"""Measuring, checking, keeping and drawing tables for a network, without a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoprune.errors import InputError
from autoprune.export.staircase_page import PlottedNetwork, render_staircases
from autoprune.jobs.admission import admit_measuring, check_database
from autoprune.jobs.context import Progress
from autoprune.jobs.devices import check_device
from autoprune.jobs.exporting import check_exportable
from autoprune.jobs.load import warn_of_load
from autoprune.jobs.subject import Subject, make_subject
from autoprune.jobs.table_files import keep_table, read_file
from autoprune.jobs.tables import PricedTable, measure_table, obtain_table, with_calibration
from autoprune.models.registry import build_model, default_input_shape, find_model
from autoprune.pruning.cost import CostModel
from autoprune.pruning.staircases import drop_dominated
from autoprune.spec import JobSpec
from autoprune.trials.engine import connect
from autoprune.trials.table_store import TableStore
from latency_tables.calibration import Calibration
from latency_tables.runtimes import runtime
from latency_tables.table import Table


def measure(
    spec: JobSpec, classes: int, shape: tuple[int, ...] | None, progress: Progress
) -> PricedTable:
    """Measure and calibrate a table for a network that needs no data."""
    admit_measuring(spec)
    subject = bare_subject(spec, classes, shape, progress)
    check_exportable(subject, runtime(spec.runtime), spec.threads)
    with _opened(spec.db) as tables:
        table = measure_table(spec, subject, tables, progress)
        return with_calibration(subject, table, tables, progress)


def check_table(
    spec: JobSpec, classes: int, shape: tuple[int, ...] | None, progress: Progress
) -> PricedTable:
    """Calibrate a table again on whole networks: a record of its own, the newest one counts."""
    admit_measuring(spec)
    subject = bare_subject(spec, classes, shape, progress)
    warn_of_load(progress)
    with _opened(spec.db) as tables:
        table = obtain_table(spec, subject, tables, progress)
        check_device(spec, table)
        return with_calibration(subject, table, tables, progress, again=True)


def import_table(path: Path, db: str) -> tuple[Table, tuple[Calibration, ...]]:
    """Keep the table of a file in a database; a file that cannot be used leaves no trace."""
    table, calibrations = read_file(path)
    check_database(db)
    with _opened(db) as tables:
        keep_table(table, calibrations, tables)
    return table, calibrations


def draw_network(
    spec: JobSpec,
    classes: int,
    shape: tuple[int, ...] | None,
    table: Table,
    progress: Progress,
) -> str:
    """The page of a table's staircases, as HTML, layer by layer of a network.

    Raises:
        TableError: the table lacks an operator of the network.
    """
    subject = bare_subject(spec, classes, shape, progress)
    cost = CostModel(subject.space, subject.network, table)
    staircase = drop_dominated(subject.space, [cost])
    return render_staircases(table, PlottedNetwork(spec.model, subject.network, staircase))


def remove_database(path: Path) -> None:
    """Remove a SQLite database with what its write-ahead log leaves beside it."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def bare_subject(
    spec: JobSpec, classes: int, shape: tuple[int, ...] | None, progress: Progress
) -> Subject:
    """A network by its name, without data and trained weights: enough for its latency."""
    find_model(spec.model)  # an unknown name is the worse mistake
    shape = shape or default_input_shape(spec.model)
    if shape is None:
        raise InputError(
            f"the input shape of {spec.model} is not known: give it, as in --input 3x224x224"
        )
    model = build_model(spec.model, classes=classes, input_shape=shape)
    return make_subject(spec, model, None, shape, progress)


@contextmanager
def _opened(db: str) -> Iterator[TableStore]:
    """The tables of a database; its files are closed at the end, so that they can be removed."""
    engine = connect(db)
    try:
        yield TableStore(engine)
    finally:
        engine.dispose()
