"""Between rows of the database and the plain records of :mod:`autoprune.trials.records`."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Row

from autoprune.trials.column_types import storable
from autoprune.trials.models import Finalist, Job, ResultColumns, StoredEvent, Trial
from autoprune.trials.records import (
    Event,
    FinalistRecord,
    JobRecord,
    JobState,
    NewTrial,
    Purpose,
    TrialLine,
    TrialRecord,
    TrialResult,
    TrialState,
)

_RESULT_COLUMNS = ("score", "loss", "accuracy", "seconds", "error", "weights", "figure")


def job_record(row: Job) -> JobRecord:
    """A job as plain data."""
    return JobRecord(
        id=row.id,
        state=cast(JobState, row.state),
        stage=row.stage,
        what=row.what,
        what_hash=row.what_hash,
        how=row.how,
        environment=row.environment,
        base=row.base,
        results=row.results,
        epoch=row.epoch,
        created=row.created,
        error=row.error,
        timing_dependent=row.timing_dependent,
        priority=row.priority,
        desired_state=cast(JobState | None, row.desired_state),
    )


def trial_record(row: Trial) -> TrialRecord:
    """A trial as plain data."""
    return TrialRecord(
        index=row.index,
        purpose=cast(Purpose, row.purpose),
        widths=tuple(row.widths),
        start_from=row.start_from,
        predicted=row.predicted,
        evaluation_key=row.evaluation_key,
        state=cast(TrialState, row.state),
        result=result_of(row),
    )


def trial_line(row: Row[*tuple[Any, ...]]) -> TrialLine:
    """As much of a trial as its history needs, from columns in that order."""
    return TrialLine._make(row)


def trial_values(job: str, trial: NewTrial) -> dict[str, Any]:
    """Columns of a trial that was just asked."""
    return {
        "job_id": job,
        "index": trial.index,
        "purpose": trial.purpose,
        "widths": list(trial.widths),
        "start_from": trial.start_from,
        "predicted": trial.predicted,
        "evaluation_key": trial.evaluation_key,
        "state": "asked",
    }


def finalist_record(row: Finalist) -> FinalistRecord:
    """A finalist as plain data."""
    return FinalistRecord(
        slot=row.slot,
        origin=row.origin,
        trial=row.trial,
        widths=tuple(row.widths),
        predicted=row.predicted,
        evaluation_key=row.evaluation_key,
        result=result_of(row),
        measured=row.measured,
    )


def finalist_row(job: str, finalist: FinalistRecord) -> Finalist:
    """A finalist as a row, with its result where it has one."""
    return Finalist(
        job_id=job,
        slot=finalist.slot,
        origin=finalist.origin,
        trial=finalist.trial,
        widths=list(finalist.widths),
        predicted=finalist.predicted,
        evaluation_key=finalist.evaluation_key,
        measured=finalist.measured,
        **result_values(finalist.result),
    )


def event_record(row: StoredEvent) -> Event:
    """An event as plain data."""
    return Event(row.sequence, row.kind, row.payload, row.at)


def result_of(row: ResultColumns) -> TrialResult | None:
    """The result in a row, None when it has none yet."""
    if row.seconds is None:
        return None
    return TrialResult(
        row.score,
        row.loss,
        row.accuracy,
        row.seconds,
        row.error,
        row.weights,
        row.reused,
        row.figure,
    )


def result_values(result: TrialResult | None) -> dict[str, Any]:
    """Columns of a result, or of none yet."""
    if result is None:
        return {**dict.fromkeys(_RESULT_COLUMNS), "reused": False}
    return {
        "score": result.score,
        "loss": result.loss,
        "accuracy": result.accuracy,
        "seconds": result.seconds,
        "error": storable(result.error),
        "weights": result.weights,
        "reused": result.reused,
        "figure": result.figure,
    }
