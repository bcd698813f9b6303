"""What is refused before anything slow starts: names, the table file, the places to write to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from autoprune.data.task import Task
from autoprune.errors import DatabaseError, InputError, UnknownNameError
from autoprune.evaluation.environment import training_device
from autoprune.evaluation.metrics import find_metric, metric_of
from autoprune.export.bundle import check_free
from autoprune.jobs.subject import task_of
from autoprune.jobs.table_files import find_table
from autoprune.pruning.criteria import find_criterion
from autoprune.spec import IN_MEMORY, JobSpec
from autoprune.trials.engine import connect, default_artifacts, open_engine
from autoprune.trials.migration import prepare, revision_state
from autoprune.trials.table_store import TableStore
from latency_tables.device import this_device
from latency_tables.runtimes import runtime
from searchers.contract import FloatArray, Group, LayerTraits, Problem
from searchers.registry import make, searcher_names


def admit(spec: JobSpec, task: Task | None = None) -> None:
    """Raise for whatever of a new job is known to be unusable; writes nothing.

    The model and the data are not loaded here: loading them is what tells whether they are good.

    Args:
        task: one in memory, which the spec does not name.

    Raises:
        InputError: says which field, what was expected and what to do.
        SearcherError: an option that the searcher does not have.
        LatencyTableError: an unknown runtime, or a table file that was altered.
    """
    admit_measuring(spec)
    training_device(spec.train_device)
    check_ray(spec)
    _check_artifacts(spec.db, spec.artifacts)
    if spec.out is not None:
        check_free(Path(spec.out), overwrite=False)
    if spec.searcher not in searcher_names():
        raise UnknownNameError("searcher", spec.searcher, searcher_names())
    _check_options(spec)
    find_criterion(spec.criterion)
    if spec.task != IN_MEMORY:
        task = task_of(spec)
    function = find_metric(metric_of(spec.metric, task), task)
    if function is not None and not callable(function):
        raise InputError(f"metric {spec.metric.name!r} is not a function of a network and batches")


def check_ray(spec: JobSpec) -> None:
    """Raise InputError where Ray's workers would not see the GPU they are to train on."""
    if spec.executor != "ray" or spec.train_device == "cpu":
        return
    if not spec.ray_gpus:
        raise InputError(
            f"train_device {spec.train_device!r} on Ray: its workers see no GPU that they did not "
            "ask for. Say how much of one each of them gets, as in --ray-gpus 1 or --ray-gpus 0.5"
        )
    if spec.train_device != "cuda":
        raise InputError(
            f"train_device {spec.train_device!r} on Ray: it is Ray that gives each worker a GPU, "
            "say cuda without a number"
        )


def admit_measuring(spec: JobSpec) -> None:
    """Raise for what keeps a table from being measured or used, without a job; writes nothing.

    Raises:
        InputError: the database, the number of threads, or the table cannot be used.
        LatencyTableError: an unknown runtime, one that is not installed, or an altered table file.
    """
    check_database(spec.db)
    runtime(spec.runtime)
    available = available_cores()
    for threads in _threads_here(spec):
        if threads > available:
            raise InputError(
                f"{threads} threads are more than the {available} cores that this process may use: "
                "they would wait for each other, and the latency would be of no machine. Use at "
                f"most --threads {available}"
            )


def _threads_here(spec: JobSpec) -> Iterator[int]:
    """Threads of what will be measured; nothing is where a table is of another device."""
    for selector in spec.tables.values():
        if selector is None:
            yield spec.threads
            continue
        with _opened_tables(spec.db) as tables:
            table, _ = find_table(selector, tables)
        if table.context.device.digest == this_device().digest:
            yield table.context.threads


def available_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_database(db: str) -> None:
    """Raise DatabaseError unless it can be written to; makes no file and no table."""
    if not _is_there(db):
        _check_writable(Path(db))
        return
    engine = open_engine(db, create=False)
    try:
        if revision_state(engine).state != "empty":
            prepare(engine)
    finally:
        engine.dispose()


def _check_artifacts(db: str, artifacts: str | None) -> None:
    """Raise DatabaseError where there is no folder for the weights that trials leave."""
    if artifacts is None and _is_there(db):
        engine = open_engine(db, create=False)
        try:
            default_artifacts(engine)
        finally:
            engine.dispose()


def stored_tables(db: str) -> TableStore | None:
    """The tables of a database, or None where there is no such database."""
    return TableStore(connect(db, create=False)) if _is_there(db) else None


@contextmanager
def _opened_tables(db: str) -> Iterator[TableStore | None]:
    """The same, and no connection left behind."""
    if not _is_there(db):
        yield None
        return
    engine = connect(db, create=False)
    try:
        yield TableStore(engine)
    finally:
        engine.dispose()


def _is_there(db: str) -> bool:
    return "://" in db or Path(db).exists()


def _check_writable(path: Path) -> None:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise DatabaseError(
            f"the trial database {path} cannot be made: {folder} is not a folder that can be "
            "written; name another one with --db"
        )


def _check_options(spec: JobSpec) -> None:
    try:
        make(
            spec.searcher,
            _any_problem(),
            seed=spec.seed,
            warm_start=spec.warm_start,
            **spec.searcher_options,
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"searcher_options of {spec.searcher!r} cannot be used: {error}; see docs/algorithms"
        ) from error


def _any_problem() -> Problem:
    """The smallest there is: enough to see whether a searcher takes its options."""

    def load(widths: FloatArray) -> FloatArray:
        halves: FloatArray = widths[:, 0] / 2.0
        return halves

    layer = LayerTraits("conv", 1, 2, stride=1, kernel=1, weights=2)
    return Problem((Group("any", 2, (1, 2), np.ones(2), layer),), load, trials=1)
