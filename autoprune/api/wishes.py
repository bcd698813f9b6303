"""POST /v1/jobs/{id}:pause, :resume and :cancel."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from autoprune.api import documents
from autoprune.api.answers import JobId, answer, problems, returns
from autoprune.api.service import Service, service_of
from autoprune.jobs.lease import owner_is_gone
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
    """A running one stops after the trials it is evaluating; nothing is lost."""
    return _stop(request, job, "paused")


@router.post(
    "/v1/jobs/{job}:resume", summary="Queue a job again", response_model=None, responses=_RESPONSES
)
def resume(request: Request, job: JobId) -> Response:
    """One that was paused or cancelled, or has failed, goes on when a worker takes it."""
    service = service_of(request)
    service.requeue(job)
    return _changed(service, job)


@router.post(
    "/v1/jobs/{job}:cancel", summary="Cancel a job", response_model=None, responses=_RESPONSES
)
def cancel(request: Request, job: JobId) -> Response:
    """What was scored stays, and is reused by other jobs."""
    return _stop(request, job, "cancelled")


def _stop(request: Request, job: str, desired: JobState) -> Response:
    service = service_of(request)
    service.trials.request_state(job, desired, owner_is_gone)
    return _changed(service, job)


def _changed(service: Service, job: str) -> Response:
    position = service.trials.position(job)
    return answer({"job": job, "state": position.state, "desired_state": position.desired})
