"""The application: routes, guards, and the OpenAPI document."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from autoprune.api import (
    events,
    exports,
    health,
    jobs,
    names,
    other_budgets,
    problems,
    submit,
    tables,
    wishes,
)
from autoprune.api.access_log import AccessLog
from autoprune.api.guarding import GUARDED, Guard
from autoprune.api.service import Service

THREADS = 12
"""Requests at work at once: fewer than the 15 connections that a pool of SQLAlchemy's opens."""

_DESCRIPTION = """\
Search jobs for channel pruning under a latency budget: submit, watch, change and export them.

Every refusal is `application/problem+json`; its `type` names the kind. Lists come in pages: `next`
is the cursor of the next one. A server that has tokens asks for one under `/v1`.
"""


def make_app(service: Service, more: Sequence[APIRouter] = ()) -> FastAPI:
    """The application over what was built for it.

    Args:
        more: routes beside the API's own, as a web page has.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        await service.events.close()
        service.submissions.close()

    app = FastAPI(
        title="autoprune",
        summary="Finds how many channels to keep in every layer under a latency budget.",
        description=_DESCRIPTION,
        version=version("autoprune"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    parts = (health, jobs, other_budgets, submit, wishes, events, exports, tables, names)
    routers = [*(part.router for part in parts), *more]
    for router in routers:
        app.include_router(router)
    problems.install(app, [route for router in routers for route in router.routes])
    app.add_middleware(Guard, service=service)
    app.add_middleware(AccessLog)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with the problems and the tokens, which it does not see."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        components = document.setdefault("components", {})
        schema = problems.ProblemDocument.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
        components.setdefault("schemas", {}).update({**schema.pop("$defs"), "Problem": schema})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, operations in document["paths"].items():
            if path.startswith(GUARDED):
                for operation in operations.values():
                    operation["security"] = [{"token": []}]
        app.openapi_schema = document
    return app.openapi_schema
