"""What a job has asked, heard and told, as writes inside a driver's transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from autoprune.errors import AutopruneError
from autoprune.trials import evaluations
from autoprune.trials.column_types import json_text
from autoprune.trials.models import StoredCheckpoint, StoredEvent, Trial, utc_now
from autoprune.trials.records import Checkpoint, Json, NewTrial, TrialResult
from autoprune.trials.rows import result_values, trial_values

CHECKPOINTS_KEPT = 2


def ask(session: Session, job: str, trials: Sequence[NewTrial]) -> None:
    """Add suggestions; a trial's index is the order in which it was asked."""
    if not trials:
        return
    last = session.execute(select(func.max(Trial.index)).where(Trial.job_id == job)).scalar_one()
    first = 0 if last is None else last + 1
    expected = list(range(first, first + len(trials)))
    got = [trial.index for trial in trials]
    if got != expected:
        raise AutopruneError(f"job {job}: the next trials are {expected}, got {got}")
    session.execute(insert(Trial), [trial_values(job, trial) for trial in trials])


def finish(session: Session, job: str, results: Mapping[int, TrialResult]) -> None:
    """Store results that wait to be told, and the scores for reuse."""
    scores: dict[str, TrialResult] = {}
    for index, result in results.items():
        key = _advance(session, job, index, "asked", "finished", result_values(result))
        scores[key] = result
    evaluations.record_for(session, job, scores)


def tell(session: Session, job: str, indices: Sequence[int]) -> None:
    """Mark finished trials as told to the searcher."""
    for index in indices:
        _advance(session, job, index, "finished", "told", {})


def _advance(
    session: Session, job: str, index: int, before: str, after: str, values: Mapping[str, Any]
) -> str:
    """Move a trial from one state to the next; returns its evaluation key."""
    this = (Trial.job_id == job, Trial.index == index)
    moved = (
        update(Trial)
        .where(*this, Trial.state == before)
        .values(state=after, **values)
        .returning(Trial.evaluation_key)
        .execution_options(synchronize_session=False)  # no trial is an object of the session
    )
    key = session.execute(moved).scalar_one_or_none()
    if key is None:
        state = session.execute(select(Trial.state).where(*this)).scalar_one_or_none()
        found = "there is no such trial" if state is None else f"it is {state!r}"
        raise AutopruneError(
            f"job {job}: trial {index} cannot become {after!r}: {found}, expected {before!r}"
        )
    return str(key)


def note(session: Session, job: str, events: Sequence[tuple[str, Json]]) -> None:
    """Append to the job's events."""
    if not events:
        return
    mine = StoredEvent.job_id == job
    last = session.execute(select(func.max(StoredEvent.sequence)).where(mine)).scalar_one() or 0
    rows = [
        {"job_id": job, "sequence": last + n, "kind": kind, "payload": payload, "at": utc_now()}
        for n, (kind, payload) in enumerate(events, start=1)
    ]
    session.execute(insert(StoredEvent), rows)


def losses(session: Session, job: str) -> int:
    """How many drivers were lost since the job's last step that was kept, the last one included.

    Every driver begins with an event and ends with one, unless it is lost.
    """
    mine, about_drivers = StoredEvent.job_id == job, StoredEvent.kind.in_(("state", "wish"))
    newest = select(func.max(StoredEvent.sequence)).where(mine, ~about_drivers)
    last = session.execute(newest).scalar_one() or 0
    since = (
        select(StoredEvent.payload)
        .where(mine, StoredEvent.kind == "state", StoredEvent.sequence > last)
        .order_by(StoredEvent.sequence)
    )
    states = [payload["state"] for payload in session.scalars(since)]
    follows = [*states[1:], "running"]
    return sum(pair == ("running", "running") for pair in zip(states, follows, strict=False))


def keep(session: Session, job: str, checkpoint: Checkpoint) -> None:
    """Store a checkpoint; the last two stay."""
    state = json_text(checkpoint.state)
    session.merge(
        StoredCheckpoint(
            job_id=job,
            tells=checkpoint.tells,
            history=checkpoint.history,
            state=state,
            arrays=checkpoint.arrays,
            sha256=_digest(checkpoint.tells, checkpoint.history, state, checkpoint.arrays),
        )
    )
    session.flush()
    mine = StoredCheckpoint.job_id == job
    newest = select(StoredCheckpoint.tells).where(mine).order_by(StoredCheckpoint.tells.desc())
    kept = session.scalars(newest.limit(CHECKPOINTS_KEPT)).all()
    session.execute(delete(StoredCheckpoint).where(mine, StoredCheckpoint.tells < min(kept)))


def latest(session: Session, job: str) -> Checkpoint | None:
    """The newest checkpoint that is what was stored; a damaged one is passed over."""
    rows = select(StoredCheckpoint).where(StoredCheckpoint.job_id == job)
    for row in session.scalars(rows.order_by(StoredCheckpoint.tells.desc())):
        if row.sha256 == _digest(row.tells, row.history, row.state, row.arrays):
            return Checkpoint(row.tells, row.history, json.loads(row.state), row.arrays)
    return None


def _digest(tells: int, history: str, state: str, arrays: bytes) -> str:
    head = json.dumps([tells, history, state]).encode()
    return hashlib.sha256(head + b"\0" + arrays).hexdigest()
