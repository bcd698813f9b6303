"""Another budget from a job: GET /v1/jobs/{id}/answer, and who may submit a job that begins so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from autoprune.api import documents
from autoprune.api.answers import JobId, answer, problems, returns
from autoprune.api.job_request import Text
from autoprune.api.problems import Problem, problem_of
from autoprune.api.service import Service, service_of
from autoprune.errors import UnknownJobError
from autoprune.trials.records import Json

router = APIRouter(tags=["jobs"])
_OF_THE_JOB = ("model", "data")


@router.get(
    "/v1/jobs/{job}/answer",
    summary="The schedule for another budget",
    response_model=None,
    responses={
        **returns(documents.Answer, "The best schedule by what the job has evaluated."),
        **problems(
            *("job-unknown", "request-invalid", "name-unknown", "job-refused", "table-refused"),
            *("budget-infeasible", "server-busy", "storage-unavailable"),
        ),
    },
)
async def answer_for(
    request: Request,
    job: JobId,
    budget: Annotated[
        list[Text] | None,
        Query(
            max_length=100,
            description="As in a job file, once for each bound; the job's own where left out.",
            examples=[["35%"]],
        ),
    ] = None,
) -> Response:
    """What `autoprune search --from JOB --json` prints. Takes seconds; nothing is trained."""
    service = service_of(request)
    await run_in_threadpool(check_listed, service, job)

    def look() -> Json:
        with service.catalog.told_by_name():
            return service.answer(job, budget)

    return answer(await service.submissions.run(look))


def check_listed(service: Service, job: str) -> None:
    """Raise Problem where a job is of what nobody may name over HTTP.

    Such a job was submitted by the operator, whose code its model, data and metric may be.
    """
    unlisted = service.catalog.unlisted(service.trials.job(job).how["spec"])
    if unlisted:
        raise Problem(
            "name-unknown",
            f"job {job} has {' and '.join(unlisted)} that this server does not list: use "
            f"'autoprune search --from {job}' on the server",
        )


def check_origin(service: Service, given: Mapping[str, Any]) -> None:
    """Raise Problem where a submission cannot begin with the job that it names.

    Args:
        given: fields of the submission, as they came.
    """
    job = given.get("from_job")
    if job is None:
        return
    told = [field for field in _OF_THE_JOB if field in given]
    if told:
        raise Problem(
            "job-refused", f"job {job} brings its own model and data: leave {', '.join(told)} out"
        )
    try:
        check_listed(service, job)
    except UnknownJobError as error:
        raise Problem("job-refused", f"from_job: {problem_of(error).detail}") from None
