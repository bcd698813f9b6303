"""Jobs as a list tells them: `jobs --json` and GET /v1/jobs."""

from __future__ import annotations

from collections.abc import Sequence

from autoprune.jobs.lease import owner_is_gone
from autoprune.trials.records import JobListed, JobProgress, JobState, Json, ShownState
from autoprune.trials.store import TrialStore


def job_lines(store: TrialStore, jobs: Sequence[JobListed]) -> list[Json]:
    """What the list tells of some jobs, without reading their trials."""
    ids = [job.id for job in jobs]
    progress, lost = store.progress(ids), store.interrupted(ids, owner_is_gone)
    return [
        _line(job, "interrupted" if job.id in lost else job.state, progress.get(job.id))
        for job in jobs
    ]


def shown_state(store: TrialStore, job: str, state: JobState) -> ShownState:
    """A job's state as people are told it: one whose driver was lost runs no more.

    Args:
        job: its full id.
        state: as it is stored.
    """
    return "interrupted" if store.interrupted([job], owner_is_gone) else state


def _line(job: JobListed, state: ShownState, progress: JobProgress | None) -> Json:
    found = progress or JobProgress()
    best = {"minimize": found.lowest, "maximize": found.highest}
    return {
        "job": job.id,
        "state": state,
        "stage": job.stage,
        "created": job.created,
        "priority": job.priority,
        "searcher": job.searcher,
        "trials": job.trials,
        "trials_told": found.told,
        "best_score": best.get(job.direction or ""),
        "base_score": job.base_score,
        "budget": list(job.budget),
        "model": job.model,
        "data": job.data,
    }
