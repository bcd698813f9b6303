"""/healthz and /readyz, for whoever watches the process; no token is needed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from autoprune.api import documents
from autoprune.api.answers import answer, problem_content, returns
from autoprune.api.service import service_of

router = APIRouter(tags=["health"])


@router.get(
    "/healthz",
    summary="Whether the process answers",
    response_model=None,
    responses=returns(documents.Alive, "It does."),
)
async def alive() -> Response:
    """Asks nothing else."""
    return answer({"status": "alive"})


@router.get(
    "/readyz",
    summary="Whether the database answers",
    response_model=None,
    responses={
        **returns(documents.Ready, "It does, and is of this program's revision."),
        503: problem_content(["database-unavailable"]),
    },
)
def ready(request: Request) -> Response:
    """A database that comes back is found by itself; `check` says what was wrong."""
    service_of(request).readiness.check()
    return answer({"status": "ready"})
