"""What a job of 100,000 trials costs whoever resumes it, or looks at it.

Its loop, its searcher and its checkpoints are a real job's; only the evaluations take no time, and
all that it wrote is inserted at its end. It ends as if killed just before a checkpoint was due, and
is resumed in the same process. Prints the seconds from opening the database to the commit of the
first new trial, and those of a page of trials as the service reads it.

    python -m benchmarks.big_resume --trials 100000 --searcher legr
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.history import TELLS_PER_CHECKPOINT
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.runner import run_search_and_race
from autoprune.jobs.summary import trial_rows
from autoprune.trials import history
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.models import Evaluation, StoredEvent, Trial, utc_now
from autoprune.trials.records import Checkpoint, JobState, Json, Lease, NewTrial, TrialResult
from autoprune.trials.rows import result_values, trial_values
from autoprune.trials.store import TrialStore
from benchmarks.sleeping_job import LOOKAHEAD, Sleeper, context_of, create_job, parser_of

PAGE, REPEATS, AT_ONCE = 100, 20, 5000
MORE = 1000
"""Trials that the job has still to run."""


class StoppedError(Exception):
    """The driver is as good as killed."""


class StoppingStore(TrialStore):
    """Stops its driver once trials were proposed that the database did not hold.

    Args:
        first: the least index of such a trial.
        stopped_at: when they were committed.
    """

    def __init__(self, db: str, folder: Path, first: int) -> None:
        super().__init__(connect(db), ArtifactFolder(folder / "artifacts"))
        self._first = first
        self.stopped_at = 0.0

    def commit(
        self, lease: Lease, *, asked: Sequence[NewTrial] = (), **step: Any
    ) -> JobState | None:
        """As the store does."""
        wish = super().commit(lease, asked=asked, **step)
        if any(trial.index >= self._first for trial in asked):
            self.stopped_at = time.perf_counter()
            raise StoppedError
        return wish


class CollectingStore(TrialStore):
    """Keeps what its driver writes until it has told so many trials, and stops it there."""

    def __init__(self, db: str, folder: Path, last: int) -> None:
        super().__init__(connect(db), ArtifactFolder(folder / "artifacts"))
        self._last = last
        self._asked: list[NewTrial] = []
        self._results: dict[int, TrialResult] = {}
        self._scores: dict[str, TrialResult] = {}
        self._checkpoints: list[Checkpoint] = []

    def evaluation(self, key: str) -> TrialResult | None:
        """The score of a schedule that was asked for before."""
        return self._scores.get(key)

    def finish_trial(self, lease: Lease, index: int, result: TrialResult) -> None:  # noqa: ARG002
        """Keep a result."""
        self._results[index] = result
        self._scores.setdefault(self._asked[index].evaluation_key, result)

    def commit(
        self,
        lease: Lease,
        *,
        told: Sequence[int] = (),
        asked: Sequence[NewTrial] = (),
        checkpoint: Checkpoint | None = None,
        **step: Any,  # noqa: ARG002
    ) -> JobState | None:
        """Keep a step."""
        self._asked.extend(asked)
        if checkpoint is not None:
            self._checkpoints = [*self._checkpoints, checkpoint][-history.CHECKPOINTS_KEPT :]
        if self._last in told:
            self._write(lease.job)
            raise StoppedError
        return None

    def _write(self, job: str) -> None:
        """As many rows as the job would have left."""
        told = [trial for trial in self._asked if trial.index <= self._last]
        at = utc_now()
        with self._database.write() as session:
            for part in _parts(told):
                values = [result_values(self._results[trial.index]) for trial in part]
                found = list(zip(part, values, strict=True))
                trials = [{**trial_values(job, t), **v, "state": "told"} for t, v in found]
                session.execute(insert(Trial), trials)
                new = [(t, v) for t, v in found if not v["reused"]]
                scores = [{"key": t.evaluation_key, "created": at, **v} for t, v in new]
                session.execute(insert(Evaluation), scores)
                said = {"job_id": job, "kind": "told", "at": at}
                events = [
                    {**said, "sequence": t.index + 2, "payload": {"trial": t.index}} for t in part
                ]
                session.execute(insert(StoredEvent), events)  # the first is the driver's
            history.ask(session, job, self._asked[self._last + 1 :])
            for checkpoint in self._checkpoints:
                history.keep(session, job, checkpoint)


def _parts(trials: Sequence[NewTrial]) -> Iterator[list[NewTrial]]:
    left = iter(trials)
    while part := list(islice(left, AT_ONCE)):
        yield part


def drive(store: TrialStore, job: str) -> None:
    """Go on with a job until its store stops it."""
    lease = acquire(store, job)
    try:
        with heartbeat(store, lease), suppress(StoppedError):
            run_search_and_race(context_of(store, lease, InlineExecutor(Sleeper(0.0))))
    finally:
        store.release(lease)


def run(db: str, folder: Path, searcher: str, trials: int) -> Json:
    """Fill, resume, look; the figures."""
    told = trials - trials % TELLS_PER_CHECKPOINT + TELLS_PER_CHECKPOINT - 1
    filling = CollectingStore(db, folder, told - 1)
    job = create_job(filling, searcher, told + MORE)
    begun = time.perf_counter()
    drive(filling, job)
    filled_s = time.perf_counter() - begun
    stored = filling.checkpoint(job)
    begun = time.perf_counter()
    resuming = StoppingStore(db, folder, told + LOOKAHEAD)
    drive(resuming, job)
    return {
        "searcher": searcher,
        "told": told,
        "filled_s": filled_s,
        "resume_s": resuming.stopped_at - begun,
        "checkpoint_bytes": len(stored.arrays) if stored else 0,
        "page_ms": _pages(db, folder, job, told),
        "load_average": os.getloadavg()[0],
    }


def _pages(db: str, folder: Path, job: str, trials: int) -> dict[str, float]:
    """Median milliseconds of a page at the beginning, in the middle and at the end."""
    store = TrialStore(connect(db), ArtifactFolder(folder / "artifacts"))
    found = {}
    for name, start in (("first", 0), ("middle", trials // 2), ("last", trials - PAGE)):
        spent = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            json.dumps(trial_rows(store, job, start, PAGE))
            spent.append(time.perf_counter() - begun)
        found[name] = statistics.median(spent) * 1e3
    return found


def main() -> None:
    """Run and print."""
    options = parser_of(__doc__, trials=100_000).parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        db = options.db or str(folder / "jobs.db")
        found = run(db, folder, options.searcher, options.trials)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    pages = ", ".join(f"{name} {spent:.0f} ms" for name, spent in found["page_ms"].items())
    print(
        f"{found['searcher']}: {found['told']:,} trials told, made in {found['filled_s']:.0f} s; "
        f"resumed to the first new trial in {found['resume_s']:.2f} s, from a checkpoint of "
        f"{found['checkpoint_bytes']:,} bytes\n"
        f"page of {PAGE} of these trials: {pages}\n"
        f"load average at the end: {found['load_average']:.1f}"
    )


if __name__ == "__main__":
    main()
