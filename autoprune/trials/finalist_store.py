"""The finalists of a job: schedules of the race and the ladder."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from autoprune.errors import AutopruneError
from autoprune.trials import evaluations, history, leases
from autoprune.trials.models import Finalist
from autoprune.trials.records import FinalistRecord, JobState, Json, Lease, TrialResult
from autoprune.trials.rows import finalist_record, finalist_row, result_values
from autoprune.trials.store_base import StoreBase


class FinalistStore(StoreBase):
    """The part of the trial store that keeps finalists; its writes are fenced."""

    def save_finalists(self, lease: Lease, finalists: Sequence[FinalistRecord]) -> None:
        """Add finalists, with their results where they have them; a slot in use is replaced."""
        with self._database.write() as session:
            leases.hold(session, lease)
            for finalist in finalists:
                session.merge(finalist_row(lease.job, finalist))
            evaluations.record_for(
                session,
                lease.job,
                {f.evaluation_key: f.result for f in finalists if f.result is not None},
            )

    def finalists(self, job: str) -> list[FinalistRecord]:
        """The job's finalists, by slot."""
        rows = select(Finalist).where(Finalist.job_id == job).order_by(Finalist.slot)
        with self._database.read() as session:
            return [finalist_record(row) for row in session.scalars(rows)]

    def finalist(self, job: str, slot: int) -> FinalistRecord:
        """One finalist; raises AutopruneError where the slot is empty."""
        with self._database.read() as session:
            return finalist_record(_finalist(session, job, slot))

    def finish_finalist(self, lease: Lease, slot: int, result: TrialResult) -> JobState | None:
        """Store a finalist's score, also for reuse.

        Returns:
            What the driver is asked to make of the job, None when it may go on.
        """
        with self._database.write() as session:
            wish = leases.hold(session, lease)
            row = _finalist(session, lease.job, slot)
            for column, value in result_values(result).items():
                setattr(row, column, value)
            evaluations.record_for(session, lease.job, {row.evaluation_key: result})
            history.note(session, lease.job, [("finalist", {"slot": slot})])
        return wish

    def measure_finalist(self, lease: Lease, slot: int, measured: Json) -> None:
        """Store what measuring the whole network gave; replaces what was measured before."""
        with self._database.write() as session:
            leases.hold(session, lease)
            _finalist(session, lease.job, slot).measured = measured


def _finalist(session: Session, job: str, slot: int) -> Finalist:
    row = session.get(Finalist, (job, slot))
    if row is None:
        raise AutopruneError(f"job {job} has no finalist in slot {slot}: save the finalists first")
    return row
