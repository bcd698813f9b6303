"""What the routes answer: JSON, and its description for the OpenAPI document."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel
from starlette.responses import Response

from autoprune.api.kinds import KINDS
from autoprune.api.problems import MEDIA_TYPE, problem_document
from autoprune.api.request_fields import JOB_ID
from autoprune.trials.column_types import json_text

JobId = Annotated[
    str, Path(pattern=JOB_ID, description="The job's whole id.", examples=["5a1c09de"])
]
TableHash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="The table's whole hash.")]
_ALWAYS = ("unauthorized", "client-refused", "internal", "database-unavailable")


def text_of(content: object) -> str:
    """JSON, in which numbers that JSON has no word for are null."""
    try:
        return json_text(content)
    except ValueError:
        return json_text(_finite(content))


def answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer."""
    return Response(text_of(content), status, headers, media_type="application/json")


def returns(model: type[BaseModel], description: str, status: int = 200) -> dict[int | str, Any]:
    """The description of an answer."""
    return {status: {"model": model, "description": description}}


def problems(*kinds: str) -> dict[int | str, Any]:
    """The description of the problems a route of /v1 may answer, with those every one may."""
    by_status: dict[int, list[str]] = {}
    for kind in (*kinds, *_ALWAYS):
        by_status.setdefault(KINDS[kind].status, []).append(kind)
    return {status: problem_content(found) for status, found in sorted(by_status.items())}


def problem_content(kinds: list[str]) -> dict[str, Any]:
    """The description of one status: its problems, each as an example."""
    examples = {kind: {"value": problem_document(kind, "...")} for kind in kinds}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "; ".join(KINDS[kind].title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
