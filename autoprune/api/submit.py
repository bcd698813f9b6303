"""POST /v1/jobs: a job is checked, frozen and queued; a worker runs it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi import Request as HttpRequest
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from autoprune.api import documents
from autoprune.api.answers import answer, problems, returns
from autoprune.api.job_request import JobRequest
from autoprune.api.other_budgets import check_origin
from autoprune.api.problems import Problem
from autoprune.api.service import Service, caller_of, service_of
from autoprune.api.strict_yaml import MEDIA_TYPE, JobFileRoute
from autoprune.errors import RepeatedRequestError
from autoprune.jobs.keys import hash_of
from autoprune.jobs.summary import base_of, budget_of
from autoprune.trials.records import Json, Request

router = APIRouter(tags=["jobs"], route_class=JobFileRoute)
_KEY = re.compile(r"[!-~]{1,255}")


@router.post(
    "/v1/jobs",
    summary="Submit a job",
    status_code=201,
    response_model=None,
    openapi_extra={
        "requestBody": {
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/JobRequest"}}}
        }
    },
    responses={
        **returns(documents.Submitted, "The job is stored and queued.", 201),
        **problems(
            *("body-unreadable", "key-invalid", "body-late", "body-too-large", "media-type"),
            *("request-invalid", "field-refused", "name-unknown", "job-refused"),
            *("budget-infeasible", "table-refused", "key-reused", "queue-full", "server-busy"),
        ),
    },
)
async def submit(
    http_request: HttpRequest,
    job: JobRequest,
    idempotency_key: Annotated[
        str | None,
        Header(description="The same key with the same body makes one job.", max_length=255),
    ] = None,
) -> Response:
    """The budget is checked against a stored table: nothing is measured. Takes seconds."""
    service = service_of(http_request)
    given = job.values()
    request = _request(caller_of(http_request), idempotency_key, given)
    if request is not None:
        before = await run_in_threadpool(_made_before, service, request)
        if before is not None:
            return before
    await run_in_threadpool(check_origin, service, given)
    values = service.catalog.resolve(given)
    return await service.submissions.run(lambda: _store(service, values, request))


def _request(caller: str, key: str | None, given: Json) -> Request | None:
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise Problem("key-invalid", "expected 1 to 255 visible ASCII characters, as a UUID has")
    return Request(caller, key, hash_of(given))


def _made_before(service: Service, request: Request) -> Response | None:
    """The first answer to a request that was made before."""
    found = service.trials.requested(request.scope, request.key)
    if found is None:
        return None
    first, job = found
    if first.body_hash != request.body_hash:
        raise Problem(
            "key-reused", f"the key {request.key!r} made job {job} of another body: take a new key"
        )
    return _submitted(service, job)


def _store(service: Service, values: Json, request: Request | None) -> Response:
    if request is not None and (before := _made_before(service, request)) is not None:
        return before
    queued = service.trials.count_jobs("queued")
    if queued >= service.most_queued:
        raise Problem(
            "queue-full",
            f"{queued} jobs are queued: wait until a worker has taken some, or cancel others",
            {"Retry-After": "60"},
        )
    try:
        with service.catalog.told_by_name():
            return _submitted(service, service.submit(values, request))
    except RepeatedRequestError:  # by another server of this database, a moment ago
        before = None if request is None else _made_before(service, request)
        if before is None:
            raise
        return before


def _submitted(service: Service, job_id: str) -> Response:
    """Only what never changes, so that the answer to the same request is the same."""
    job = service.trials.job(job_id)
    content = {
        "job": job.id,
        "state": "queued",
        "created": job.created,
        "budget": budget_of(job),
        "base": base_of(job),
    }
    return answer(content, 201, {"Location": f"/v1/jobs/{job.id}"})
