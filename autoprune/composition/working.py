"""What a worker needs to know of a job: whether it can run here, and how."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from autoprune.composition.jobs import reopen
from autoprune.composition.running import run_leased
from autoprune.composition.stores import open_job, without_artifacts
from autoprune.errors import InputError
from autoprune.evaluation.environment import environment_fingerprint, training_device
from autoprune.export.bundle import check_free
from autoprune.jobs.context import Progress
from autoprune.jobs.devices import named_hashes
from autoprune.jobs.inheriting import stored_fields
from autoprune.jobs.packaging import holds_bundle_of, package_job
from autoprune.jobs.worker import Worker
from autoprune.spec import JobSpec, unreadable_fields
from autoprune.trials.engine import connect
from autoprune.trials.records import JobRecord, Lease
from latency_tables.runtimes import runs_here
from latency_tables.table import Table
from searchers.registry import searcher_names


@dataclass(frozen=True)
class WorkerOptions:
    """How one worker runs jobs, beside what their specs say.

    Args:
        db: where the jobs are.
        artifacts: their folder; None for the one that each job was submitted with.
        workers: processes that score trials; None leaves it to the job.
        accept_environment: take jobs whose scores may come out otherwise here.
    """

    db: str
    artifacts: str | None = None
    workers: int | None = None
    accept_environment: bool = False


ShowProgress = Callable[[int, int], AbstractContextManager[Progress]]
"""Trials of the job, trials done -> shows the progress until its block ends; picklable."""
BundleFolder = Callable[[JobSpec, str], Path]
"""Where the bundle of a job goes."""


@dataclass(frozen=True)
class JobRunner:
    """Runs one leased job: rebuilds its plan, drives it, writes and keeps its bundle."""

    options: WorkerOptions
    show_progress: ShowProgress
    bundle_folder: BundleFolder

    def __call__(self, lease: Lease) -> None:
        """Run the job to its end.

        Raises:
            AutopruneError: the job fails here, says why.
        """
        stores, job = open_job(self.options.db, lease.job, self.options.artifacts)
        accept = self.options.accept_environment
        told = stores.trials.told(job.id)
        with self.show_progress(job.what["trials"], told) as progress:
            plan = reopen(stores, job.id, progress, self._overrides(), accept_environment=accept)
            out = self.bundle_folder(plan.spec, job.id)
            if not holds_bundle_of(out, job.id):
                check_free(out, overwrite=False)
            run_leased(
                stores,
                lease,
                plan,
                progress,
                lambda: package_job(stores.trials, job.id, plan, out),
                accept,
            )

    def _overrides(self) -> dict[str, Any]:
        given = {
            "db": self.options.db,
            "artifacts": self.options.artifacts,
            "workers": self.options.workers,
        }
        return {field: value for field, value in given.items() if value is not None}


def make_worker(
    options: WorkerOptions,
    show_progress: ShowProgress,
    bundle_folder: BundleFolder,
    poll_s: float,
    say: Callable[[str], None],
) -> Worker:
    """A worker on a database; one on a server, which is there before its jobs, gets its tables.

    Raises:
        DatabaseError: a file that is not there: nobody submits jobs to it.
    """
    stores = without_artifacts(connect(options.db, create=False))

    @cache
    def is_of_this_device(table: str) -> bool:
        document = stores.tables.table(table)
        if document is None:
            return True  # the job's own process says what is missing
        context = Table.from_json(document).context
        return runs_here(context.runtime, context.device)

    left: set[str] = set()

    def suits(job: JobRecord) -> bool:
        other = wanted(job)
        if other is not None and job.id not in left:
            left.add(job.id)
            say(f"job {job.id} is left to a worker {other}")
        return other is None

    def wanted(job: JobRecord) -> str | None:
        """The worker that this one is not; None where it is."""
        if fields := unreadable_fields(stored_fields(job)):
            return f"of a newer version: this one cannot read {', '.join(fields)} of its spec"
        if (searcher := job.how["spec"]["searcher"]) not in searcher_names():
            return f"that has the searcher {searcher!r}, which is not installed here"
        if not trains_here(job):
            return f"that has its GPU ({job.environment})"
        if not options.accept_environment and not is_exact_here(job):
            return f"of its environment ({job.environment})"
        needs_no_device = job.how["spec"].get("unmeasured") or "chosen" in job.results
        if not needs_no_device and not is_of_this_device(_measured_table(job)):
            return "whose device this is"
        return None

    runner = JobRunner(options, show_progress, bundle_folder)
    return Worker(stores.trials, runner, suits, poll_s, say)


def is_exact_here(job: JobRecord) -> bool:
    """Whether scores come out here as where the job was submitted, to the bit."""
    spec = job.how["spec"]
    here = environment_fingerprint(spec["train_threads"], _train_device(job))
    return job.environment == here


def trains_here(job: JobRecord) -> bool:
    """Whether the device that its spec names for training is here."""
    try:
        training_device(_train_device(job))
    except InputError:
        return False
    return True


def _train_device(job: JobRecord) -> str:
    """Jobs of versions that had no such field trained on the CPU."""
    return str(job.how["spec"].get("train_device", "cpu"))


def _measured_table(job: JobRecord) -> str:
    """Hash of the table whose device the finalists are measured on."""
    return str(named_hashes(job.what)[job.base.get("primary", "")]["table"])
