"""The trials of a job, read as far as somebody needs them: a big job has 100,000."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, func, select

from autoprune.trials.models import Trial
from autoprune.trials.records import TrialLine, TrialRecord, TrialTally
from autoprune.trials.rows import trial_line, trial_record
from autoprune.trials.store_base import StoreBase

LINES = 2000
"""Lines read at once: all of a big job's in memory would keep the garbage collector busy."""


class ReadingStore(StoreBase):
    """The part of the trial store that reads trials; jobs are named by their full ids."""

    def trials(self, job: str, start: int = 0, limit: int | None = None) -> list[TrialRecord]:
        """The trials from index ``start`` on, in order, at most ``limit`` of them."""
        page = select(Trial).where(Trial.job_id == job, Trial.index >= start).order_by(Trial.index)
        with self._database.read() as session:
            return [trial_record(row) for row in session.scalars(page.limit(limit))]

    def trials_at(self, job: str, indices: Collection[int]) -> dict[int, TrialRecord]:
        """A few trials by their indices; those that there are not are left out."""
        rows = select(Trial).where(Trial.job_id == job, Trial.index.in_(indices))
        with self._database.read() as session:
            return {row.index: trial_record(row) for row in session.scalars(rows)}

    def trial_lines(self, job: str, start: int, limit: int) -> list[TrialLine]:
        """The same as :meth:`trials`, as little of each as a resume needs of all of them."""
        columns = (Trial.start_from, Trial.score, Trial.accuracy, Trial.weights)
        lines = select(Trial.index, Trial.purpose, cast(Trial.widths, Text), *columns)
        page = lines.where(Trial.job_id == job, Trial.index >= start).order_by(Trial.index)
        with self._database.read() as session:
            return [trial_line(row) for row in session.execute(page.limit(limit))]

    def first_lines(self, job: str, number: int) -> Iterator[TrialLine]:
        """The first ``number`` trials as :meth:`trial_lines`, a few at a time."""
        for start in range(0, number, LINES):
            yield from self.trial_lines(job, start, min(LINES, number - start))

    def best_trial(self, job: str, *, lowest: bool) -> TrialRecord | None:
        """The candidate of the best score, the first of equal ones; None where none has one.

        Args:
            lowest: whether lower scores are better.
        """
        best = Trial.score.asc() if lowest else Trial.score.desc()
        rows = (
            select(Trial)
            .where(Trial.job_id == job, Trial.purpose == "candidate", Trial.score.is_not(None))
            .order_by(best, Trial.index)
        )
        with self._database.read() as session:
            row = session.scalars(rows.limit(1)).one_or_none()
            return None if row is None else trial_record(row)

    def first_error(self, job: str) -> str | None:
        """Why the first of the trials that failed did; probes do not count."""
        rows = select(Trial.error).where(
            Trial.job_id == job, Trial.purpose != "probe", Trial.error.is_not(None)
        )
        with self._database.read() as session:
            return session.scalars(rows.order_by(Trial.index).limit(1)).one_or_none()

    def tally(self, job: str) -> TrialTally:
        """How many trials there are, and what they cost."""
        probe, told = Trial.purpose == "probe", Trial.state == "told"
        timed = case((~probe & (Trial.seconds > 0), Trial.seconds))
        rows = select(
            _count(~probe),
            _count(told & ~probe),
            _count(told),
            _count(probe),
            func.coalesce(func.sum(case((probe, Trial.seconds), else_=0.0)), 0.0),
            func.avg(timed),
        ).where(Trial.job_id == job)
        with self._database.read() as session:
            asked, heard, tells, probes, on_probes, each = session.execute(rows).one()
        return TrialTally(
            int(asked),
            int(heard),
            int(tells),
            int(probes),
            probe_seconds=float(on_probes),
            seconds_each=None if each is None else float(each),
        )


def _count(holds: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((holds, 1), else_=0)), 0)
