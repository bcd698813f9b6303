"""Measuring and checking tables for a network, without a job."""

from __future__ import annotations

from autoprune.composition.jobs import check_device
from autoprune.composition.stores import open_stores
from autoprune.errors import InputError
from autoprune.jobs.admission import admit
from autoprune.jobs.context import Progress
from autoprune.jobs.subject import Subject, make_subject
from autoprune.jobs.tables import PricedTable, measure_table, obtain, with_calibration
from autoprune.models.registry import build_model, default_input_shape, find_model
from autoprune.spec import JobSpec


def measure(
    spec: JobSpec, classes: int, shape: tuple[int, ...] | None, progress: Progress
) -> PricedTable:
    """Measure and calibrate a table for a network that needs no data."""
    admit(spec)
    subject = _bare_subject(spec, classes, shape, progress)
    tables = open_stores(spec.db, spec.artifacts).tables
    table = measure_table(spec, subject, tables, progress)
    return with_calibration(subject, table, tables, progress)


def check_table(
    spec: JobSpec, classes: int, shape: tuple[int, ...] | None, progress: Progress
) -> PricedTable:
    """Calibrate a table again on whole networks: a record of its own, the newest one counts."""
    admit(spec)
    subject = _bare_subject(spec, classes, shape, progress)
    tables = open_stores(spec.db, spec.artifacts).tables
    priced = obtain(spec, subject, tables, progress)
    check_device(spec, priced)
    return with_calibration(subject, priced.table, tables, progress, again=True)


def _bare_subject(
    spec: JobSpec, classes: int, shape: tuple[int, ...] | None, progress: Progress
) -> Subject:
    find_model(spec.model)  # an unknown name is the worse mistake
    shape = shape or default_input_shape(spec.model)
    if shape is None:
        raise InputError(
            f"the input shape of {spec.model} is not known: give it, as in --input 3x224x224"
        )
    model = build_model(spec.model, classes=classes, input_shape=shape)
    return make_subject(spec, model, None, shape, progress)
