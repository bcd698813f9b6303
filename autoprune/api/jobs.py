"""GET /v1/jobs and what belongs to one job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from autoprune.api import documents
from autoprune.api.answers import JobId, answer, problems, returns
from autoprune.api.hiding import without_folders
from autoprune.api.pages import Cursor, Limit, page, place_of
from autoprune.api.problems import Problem
from autoprune.api.service import Service, service_of
from autoprune.export.front import front_document
from autoprune.jobs.chosen import describe_chosen
from autoprune.jobs.front import read_front
from autoprune.jobs.listing import job_lines, shown_state
from autoprune.jobs.summary import savings_of, summarise_job, trial_rows
from autoprune.trials.records import JobListed, JobPosition, JobState, Json

router = APIRouter(tags=["jobs"])


@router.get(
    "/v1/jobs",
    summary="The jobs, newest first",
    response_model=None,
    responses={
        **returns(documents.JobPage, "A page of jobs."),
        **problems("cursor-invalid", "request-invalid"),
    },
)
def jobs(
    request: Request,
    state: Annotated[
        JobState | None, Query(description="Only those in it; interrupted ones are running.")
    ] = None,
    starts_with: Annotated[
        str, Query(pattern=r"^[0-9a-f]{0,8}$", description="Only those whose ids start so.")
    ] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """One page of all jobs, or of those in one state or with one start of their ids."""
    service, of = service_of(request), f"jobs {state or 'all'} {starts_with}"
    place = place_of(cursor, of, (str, str))
    after = (place[0], place[1]) if place else None
    found = service.trials.job_page(limit, after, state, starts_with)
    last = [found[-1].created, found[-1].id] if found else None
    return answer(page(_lines(service, found), limit, of, last))


@router.get(
    "/v1/jobs/{job}",
    summary="One job",
    response_model=None,
    responses={
        **returns(documents.Job, "The job as it stands."),
        **problems("job-unknown", "request-invalid"),
    },
)
def job(request: Request, job: JobId) -> Response:
    """State, progress, digest, and the best schedule so far with every layer."""
    service = service_of(request)
    position = service.trials.position(job)
    shown = service.memory.answer("job", job, position, lambda: _shown(service, job))
    record = service.trials.job(job)
    now = {
        "state": shown_state(service.trials, job, position.state),  # a lease ends without a word
        "desired_state": position.desired,
        "priority": record.priority,
        "last_event": position.events,
        "has_bundle": record.results.get("bundle_archive") is not None,
    }
    return answer({**shown, **now})


@router.get(
    "/v1/jobs/{job}/trials",
    summary="The trials of a job",
    response_model=None,
    responses={
        **returns(documents.TrialPage, "A page of trials, in the order they were asked."),
        **problems("cursor-invalid", "job-unknown", "request-invalid"),
    },
)
def trials(request: Request, job: JobId, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """One page; what `autoprune trials JOB --json` prints."""
    of = f"trials {job}"
    place = place_of(cursor, of, (int,))
    rows = trial_rows(service_of(request).trials, job, place[0] if place else 0, limit)
    for row in rows:
        row["error"] = _told(row["error"])
    return answer(page(rows, limit, of, [rows[-1]["index"] + 1] if rows else None))


@router.get(
    "/v1/jobs/{job}/schedule",
    summary="What a finished job chose",
    response_model=None,
    responses={
        **returns(documents.Schedule, "Layers, kept units, latencies and accuracies."),
        **problems("job-unknown", "job-unfinished", "request-invalid"),
    },
)
def schedule(request: Request, job: JobId) -> Response:
    """Keep ratios of every layer, and the time that each group of channels saves."""
    service = service_of(request)
    position = service.trials.position(job)
    check_done(position, job)
    return answer(
        service.memory.answer(
            "schedule", job, position, lambda: describe_chosen(service.trials, job)
        )
    )


@router.get(
    "/v1/jobs/{job}/front",
    summary="The front of score against latency",
    response_model=None,
    responses={
        **returns(documents.Front, "The trials that no other beats, fastest first."),
        **problems("job-unknown", "request-invalid"),
    },
)
def front(request: Request, job: JobId) -> Response:
    """Of a job in any state, over the trials told so far; empty before the first."""
    service = service_of(request)
    position = service.trials.position(job)

    def read() -> Json:
        return front_document(read_front(service.trials, job))

    return answer(service.memory.answer("front", job, position, read))


def check_done(position: JobPosition, job: str) -> None:
    """Raise Problem unless the job is finished."""
    if position.state != "finished":
        raise Problem(
            "job-unfinished",
            f"job {job} is {position.state} in its {position.stage} stage: wait for its end",
        )


def _shown(service: Service, job_id: str) -> Json:
    job = service.trials.job(job_id)
    spec: dict[str, Any] = job.how["spec"]
    shown = summarise_job(service.trials, job_id)
    return {
        **shown,
        "error": _told(shown["error"]),
        "trials_planned": job.what["trials"],
        "created": job.created,
        "model": service.catalog.name_of_model(spec["model"], spec["weights"]),
        "data": service.catalog.name_of_data(spec["data"]),
        "savings": savings_of(job),
        "layer_shares": job.base.get("layer_shares"),
    }


def _told(error: str | None) -> str | None:
    return None if error is None else without_folders(error)


def _lines(service: Service, jobs: Sequence[JobListed]) -> list[Json]:
    """With names of the catalog in place of what they stand for."""
    return [
        {
            **line,
            "model": service.catalog.name_of_model(job.model, job.weights),
            "data": service.catalog.name_of_data(job.data),
        }
        for job, line in zip(jobs, job_lines(service.trials, jobs), strict=True)
    ]
