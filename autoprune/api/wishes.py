"""POST /v1/jobs/{id}:pause, :resume and :cancel."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from autoprune.api import documents
from autoprune.api.answers import JobId, answer, problems, returns
from autoprune.api.service import service_of
from autoprune.trials.records import JobState

router = APIRouter(tags=["jobs"])
_RESPONSES = {
    **returns(documents.Changed, "The job has changed, or its driver was asked to change it."),
    **problems("job-unknown", "job-state", "request-invalid"),
}


@router.post(
    "/v1/jobs/{job}:pause", summary="Pause a job", response_model=None, responses=_RESPONSES
)
def pause(request: Request, job: JobId) -> Response:
    """A running one stops after what it is evaluating; nothing is lost."""
    return _wish(request, job, "paused")


@router.post(
    "/v1/jobs/{job}:resume", summary="Queue a job again", response_model=None, responses=_RESPONSES
)
def resume(request: Request, job: JobId) -> Response:
    """A paused or failed one goes on where it stood, when a worker takes it."""
    return _wish(request, job, "queued")


@router.post(
    "/v1/jobs/{job}:cancel", summary="Cancel a job", response_model=None, responses=_RESPONSES
)
def cancel(request: Request, job: JobId) -> Response:
    """For good; what was scored stays, and is reused by other jobs."""
    return _wish(request, job, "cancelled")


def _wish(request: Request, job: str, desired: JobState) -> Response:
    trials = service_of(request).trials
    trials.request_state(job, desired)
    position = trials.position(job)
    return answer({"job": job, "state": position.state, "wish": position.desired})
