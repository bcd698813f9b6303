"""Many drivers on one database at once: whether any of them is refused, and how long they wait.

Each process drives a job of its own, as fast as the database lets it: real jobs evaluate between
their writes. Every process also looks at the queue of jobs, as a worker does.

    python -m benchmarks.many_writers --processes 64 --trials 20
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autoprune.errors import AutopruneError
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.records import NewTrial, TrialResult
from autoprune.trials.store import TrialStore

LEASE_S = 600.0


@dataclass
class Writer:
    """What one process saw.

    Args:
        waits: seconds of every write.
        error: what it was refused with, empty where it was not.
    """

    waits: list[float] = field(default_factory=list)
    error: str = ""

    def timed(self, write: Callable[[], object]) -> None:
        """Do one write."""
        started = time.perf_counter()
        write()
        self.waits.append(time.perf_counter() - started)


def drive(db: str, folder: Path, trials: int, number: int) -> Writer:
    """Claim one queued job and take it through its trials."""
    writer = Writer()
    try:
        _drive(TrialStore(connect(db), ArtifactFolder(folder)), trials, number, writer)
    except AutopruneError as error:
        writer.error = str(error)
    return writer


def _drive(store: TrialStore, trials: int, number: int, writer: Writer) -> None:
    claims = (store.claim(job, f"writer {number}", LEASE_S) for job in store.waiting_jobs())
    lease = next(lease for lease in claims if lease is not None)
    result = TrialResult(0.5, 0.5, 0.5, 1.0)
    for index in range(trials):
        widths = (number, index)
        trial = NewTrial(index, "candidate", widths, None, {"latency_s": 1e-3}, f"key {widths}")
        told = [("told", {"trial": index})]
        writer.timed(lambda trial=trial: store.commit(lease, asked=[trial]))
        writer.timed(lambda index=index: store.finish_trial(lease, index, result))
        writer.timed(lambda i=index, e=told: store.commit(lease, told=[i], events=e))
        writer.timed(lambda: store.renew(lease, LEASE_S))
        store.waiting_jobs()
    store.commit(lease, state="finished")
    store.release(lease)


def run(db: str, folder: Path, processes: int, trials: int) -> tuple[list[Writer], float]:
    """All writers at once; what they saw, and the seconds it took."""
    store = TrialStore(connect(db), ArtifactFolder(folder))
    for _ in range(processes):
        store.create_job({}, "h", {}, "env", {}, priority=0)
    started = time.perf_counter()
    with multiprocessing.get_context("forkserver").Pool(processes) as pool:
        writers = pool.starmap(
            drive, [(db, folder, trials, number) for number in range(processes)], chunksize=1
        )
    finished = sum(job.state == "finished" for job in store.jobs())
    told = sum(len(store.trials(job.id)) for job in store.jobs())
    if (finished, told) != (processes, processes * trials) and not any(w.error for w in writers):
        raise RuntimeError(f"{finished} jobs finished with {told} trials: writes were lost")
    return writers, time.perf_counter() - started


def main() -> None:
    """Print one line; exit code 1 where a writer was refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=64)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--db", help="URL of an empty database; default: a SQLite file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        db = arguments.db or str(folder / "jobs.db")
        writers, seconds = run(db, folder, arguments.processes, arguments.trials)
    waits = sorted(wait for writer in writers for wait in writer.waits)
    refused = [writer.error for writer in writers if writer.error]
    print(
        f"{len(writers)} processes, {len(waits)} writes in {seconds:.1f} s: "
        f"{len(waits) / seconds:.0f} a second; the median write took "
        f"{statistics.median(waits):.3f} s, the longest {waits[-1]:.1f} s; "
        f"{len(refused)} processes were refused"
    )
    if refused:
        print(refused[0])
        sys.exit(1)


if __name__ == "__main__":
    main()
