"""Scores that any job may reuse, by everything that decides them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from autoprune.trials.inserting import insert_on
from autoprune.trials.models import Evaluation, Job, utc_now
from autoprune.trials.records import TrialResult
from autoprune.trials.rows import result_of, result_values


def find(session: Session, key: str) -> TrialResult | None:
    """The score under a key."""
    row = session.execute(select(Evaluation).where(Evaluation.key == key)).scalar_one_or_none()
    return None if row is None else result_of(row)


def record_for(session: Session, job: str, results: Mapping[str, TrialResult]) -> None:
    """Keep a job's scores for reuse, unless it went on under another environment than its keys say.

    Such a job is marked ``timing_dependent``; its scores are its own.
    """
    marked = session.execute(select(Job.timing_dependent).where(Job.id == job)).scalar_one()
    if not marked:
        record(session, results)


def record(session: Session, results: Mapping[str, TrialResult]) -> None:
    """Keep scores under their keys; the first score of a key stays.

    A failure is not kept: what ran out of memory once may not do so again. Weights are added to a
    score that had none, or other ones, when the score is the same.
    """
    # In the order of the keys: two jobs that finish the same schedules must not wait on each other.
    for key in sorted(results):
        result = replace(results[key], reused=False)
        if result.score is None or results[key].reused:
            continue
        values = {"key": key, "created": utc_now(), **result_values(result)}
        statement = insert_on(session, Evaluation, values)
        if result.weights is None:
            statement = statement.on_conflict_do_nothing(index_elements=["key"])
        else:
            statement = statement.on_conflict_do_update(
                index_elements=["key"],
                set_={"weights": statement.excluded.weights},
                where=Evaluation.score == statement.excluded.score,
            )
        session.execute(statement)
