"""A job of many short trials: how much of its time is not the evaluations'.

The evaluations sleep; everything else is a real job's. Prints the wall time of the search and its
race as a multiple of the ideal (evaluations x sleep / workers), and how long it took from telling
a result to its commit: the asks that follow, a checkpoint where one is due, and the transaction.

    python -m benchmarks.big_jobs --trials 10000 --sleep 0.05 --workers 2 --searcher legr
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from autoprune.jobs.executors.processes import ProcessExecutor
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.runner import run_search_and_race
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.records import JobState, Json, Lease
from autoprune.trials.store import TrialStore
from benchmarks.sleeping_job import Sleeper, context_of, create_job, make_searcher, parser_of
from searchers.base import Searcher
from searchers.contract import Outcome

ENDS = 100
"""The first and the last so many tells are compared."""


class WatchedStore(TrialStore):
    """Notes when a told trial was committed.

    Args:
        told_at: set by :class:`WatchedSearcher`.
        seconds: from each tell to its commit, in the order of the trials.
    """

    def __init__(self, db: str, folder: Path) -> None:
        super().__init__(connect(db), ArtifactFolder(folder / "artifacts"))
        self.told_at = 0.0
        self.seconds: list[float] = []

    def commit(self, lease: Lease, *, told: Sequence[int] = (), **step: Any) -> JobState | None:
        """As the store does."""
        wish = super().commit(lease, told=told, **step)
        if told:
            self.seconds.append(time.perf_counter() - self.told_at)
        return wish


class WatchedSearcher:
    """A searcher that notes when it is told."""

    def __init__(self, searcher: Searcher, store: WatchedStore) -> None:
        self._searcher = searcher
        self._store = store

    def tell(self, suggestion_id: int, outcome: Outcome) -> None:
        """As the searcher does."""
        self._store.told_at = time.perf_counter()
        self._searcher.tell(suggestion_id, outcome)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._searcher, name)


def run(
    db: str, folder: Path, searcher: str, trials: int, sleep_s: float, workers: int
) -> dict[str, Any]:
    """One job from its first ask to the end of its race; its figures."""
    store = WatchedStore(db, folder)
    job = create_job(store, searcher, trials)
    lease = acquire(store, job)
    executor = ProcessExecutor(Sleeper(sleep_s), workers, start_method="fork")
    try:
        with heartbeat(store, lease):
            context = replace(
                context_of(store, lease, executor),
                make_searcher=lambda: cast(
                    Searcher, WatchedSearcher(make_searcher(store.job(job).what), store)
                ),
            )
            started, busy = time.perf_counter(), time.process_time()
            run_search_and_race(context)
            wall, busy = time.perf_counter() - started, time.process_time() - busy
            store.commit(lease, state="finished")
            executor.close()  # forked workers hold the heartbeat's pipe open
    finally:
        executor.close()
        store.release(lease)
    return _figures(store, job, sleep_s, workers, wall, busy)


def _figures(
    store: WatchedStore, job: str, sleep_s: float, workers: int, wall: float, busy: float
) -> Json:
    results = [trial.result for trial in store.trials(job)]
    evaluated = sum(result is not None and not result.reused for result in results)
    ideal = evaluated * sleep_s / workers
    first, last = store.seconds[:ENDS], store.seconds[-ENDS:]
    medians = [statistics.median(part) * 1e3 for part in (first, last)]
    means = [statistics.mean(part) * 1e3 for part in (first, last)]
    return {
        "searcher": store.job(job).what["searcher"],
        "trials": len(results),
        "evaluated": evaluated,
        "wall_s": wall,
        "ideal_s": ideal,
        "wall_to_ideal": wall / ideal,
        "driver_cpu_s": busy,
        "commit_median_ms": {"first": medians[0], "last": medians[1]},
        "last_to_first_median": medians[1] / medians[0],
        "commit_mean_ms": {"first": means[0], "last": means[1]},
        "last_to_first_mean": means[1] / means[0],
        "longest_commit_ms": max(store.seconds) * 1e3,
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    """Run one job and print its figures."""
    parser = parser_of(__doc__, trials=10_000)
    parser.add_argument("--sleep", type=float, default=0.05, help="seconds of an evaluation")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = run(
            options.db or str(folder / "jobs.db"),
            folder,
            options.searcher,
            options.trials,
            options.sleep,
            options.workers,
        )
    print(json.dumps(found, indent=2) if options.json else _line(found))


def _line(found: Json) -> str:
    medians, means = found["commit_median_ms"], found["commit_mean_ms"]
    return (
        f"{found['searcher']}: {found['trials']:,} trials, {found['evaluated']:,} evaluated, "
        f"{found['wall_s']:.1f} s, {found['wall_to_ideal']:.3f} of the ideal "
        f"{found['ideal_s']:.1f} s; the driver computed for {found['driver_cpu_s']:.1f} s\n"
        f"tell to commit, median: first {ENDS} {medians['first']:.1f} ms, last {ENDS} "
        f"{medians['last']:.1f} ms, {found['last_to_first_median']:.2f} times; mean "
        f"{means['first']:.1f} and {means['last']:.1f} ms, {found['last_to_first_mean']:.2f} "
        f"times; longest {found['longest_commit_ms']:.0f} ms\n"
        f"load average at the end: {found['load_average']:.1f}"
    )


if __name__ == "__main__":
    main()
