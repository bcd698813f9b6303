"""Everything that goes wrong, as application/problem+json (RFC 9457), the framework's own too."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from autoprune.api.hiding import without_folders
from autoprune.api.kinds import KINDS
from autoprune.api.request_fields import REFUSED
from autoprune.errors import (
    AutopruneError,
    BudgetInfeasibleError,
    DatabaseError,
    InputError,
    JobStateError,
    RevisionError,
    StorageError,
    TableError,
    UnknownJobError,
)
from autoprune.field_errors import Path as FieldPath
from autoprune.field_errors import complaints, named, sentence
from autoprune.spec import fields_at
from latency_tables.errors import LatencyTableError
from searchers.contract import SearcherError

MEDIA_TYPE = "application/problem+json"
RETRY_S = "2"
_log = logging.getLogger("autoprune.api")

_OF_STATUS = {
    400: "body-unreadable",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "media-type",
}
"""What the framework itself raises, by status."""

_OF_ERROR: tuple[tuple[type[Exception], str], ...] = (
    (JobStateError, "job-state"),
    (BudgetInfeasibleError, "budget-infeasible"),
    (TableError, "table-refused"),
    (LatencyTableError, "table-refused"),
    (SearcherError, "job-refused"),
    (InputError, "job-refused"),
)
"""The first that fits counts."""


class Problem(HTTPException):
    """A refusal of one of :data:`KINDS`.

    Args:
        kind: its name, the end of ``type``.
        detail: what happened, what was expected, what to do.
        more: further members of the document.
    """

    def __init__(
        self, kind: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(KINDS[kind].status, detail, dict(headers or {}))
        self.kind = kind
        self.more = more


class FieldProblem(BaseModel):
    """One field that is wrong."""

    field: str = Field(examples=["fidelity.steps"])
    says: str = Field(examples=["expected at least 0, got -1"])


class ProblemDocument(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str = Field(examples=["urn:autoprune:problem:job-unknown"])
    title: str = Field(examples=["No such job"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(examples=["no job '00000000' on this server"])
    errors: list[FieldProblem] | None = None


def problem_document(kind: str, detail: str) -> dict[str, Any]:
    """What every document of a kind says; see :class:`ProblemDocument`."""
    status, title = KINDS[kind]
    return {
        "type": f"urn:autoprune:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
    }


def problem_response(problem: Problem) -> Response:
    """The answer that a problem is."""
    content = {**problem_document(problem.kind, problem.detail), **problem.more}
    # Escaped, so that a text with half a surrogate pair can be told too.
    body = json.dumps(content, allow_nan=False)
    return Response(body, problem.status_code, headers=problem.headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """What an error of ours is to a client; whatever else went wrong is told to the log alone."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        kind = _OF_STATUS.get(error.status_code, "request-invalid")
        return Problem(kind, f"{error.detail}: see /openapi.json", error.headers)
    if isinstance(error, DatabaseError):
        return _no_database(error)
    if isinstance(error, StorageError):
        _log.error("%s", error)
        return Problem("storage-unavailable", "a stored file is missing, or cannot be read now")
    if isinstance(error, UnknownJobError):
        return Problem("job-unknown", str(UnknownJobError(error.job, on_server=True)))
    for kind_of_error, kind in _OF_ERROR:
        if isinstance(error, kind_of_error):
            return Problem(kind, without_folders(str(error)))
    if isinstance(error, AutopruneError):
        _log.error("%s", error)
    return Problem("internal", "this is a mistake of the server; its log says more")


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every error of an app by a problem.

    Args:
        routes: all that the app has.
    """

    def handle(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem.kind == "method-not-allowed":
            problem.headers = {"Allow": ", ".join(_methods_of(routes, request))}
        return problem_response(problem)

    leaves = (LatencyTableError, SearcherError)
    for kind in (HTTPException, RequestValidationError, AutopruneError, *leaves, Exception):
        app.add_exception_handler(kind, handle)


def _methods_of(routes: Sequence[BaseRoute], request: Request) -> list[str]:
    """Every method that the path has, over all of its routes."""
    found: set[str] = set()
    for route in routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)


def _no_database(error: DatabaseError) -> Problem:
    # The address of the database is the operator's alone.
    _log.error("%s", error)
    if isinstance(error, RevisionError):
        says = "the trial database is of another revision: 'autoprune db upgrade' may be due"
        return Problem("database-unavailable", says, {"Retry-After": RETRY_S}, check="revision")
    says = "the trial database cannot be used now: try again, nothing was changed"
    return Problem("database-unavailable", says, {"Retry-After": RETRY_S}, check="database")


def _invalid(error: RequestValidationError) -> Problem:
    """Which fields are wrong; a path that cannot be an id is one that leads nowhere."""
    found = error.errors()
    if any(item["loc"][0] == "path" for item in found):
        return Problem("not-found", "no such id: expected the whole id, as the lists give it")
    says = complaints(({**item, "loc": _within(item["loc"])} for item in found), _fields_at)
    errors = [
        {"field": _shown(named(path)), "says": _shown(REFUSED.get(named(path), told))}
        for path, told in list(says.items())[:20]
    ]
    refused = any(each["field"] in REFUSED for each in errors)
    text = "; ".join(sentence(each["field"], each["says"]) for each in errors)
    return Problem("field-refused" if refused else "request-invalid", text, errors=errors)


def _within(loc: FieldPath) -> FieldPath:
    """A path without the part of the request that it is in, where it goes further."""
    return loc[1:] or loc


def _fields_at(path: FieldPath) -> list[str]:
    return [name for name in fields_at(path) if len(path) > 1 or name not in REFUSED]


def _shown(text: str) -> str:
    return text if len(text) <= 500 else text[:500] + "..."
