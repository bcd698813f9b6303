"""GET /v1/jobs/{id}/events: a job's events as they come (server-sent events)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from autoprune.api.answers import JobId, problems, text_of
from autoprune.api.event_hub import ENDED, EventHub, Feed
from autoprune.api.problems import Problem
from autoprune.api.service import service_of
from autoprune.errors import AutopruneError
from autoprune.trials.records import Event

KEEP_ALIVE_S = 15.0
router = APIRouter(tags=["jobs"])

_EXAMPLE = {
    "id": "1",
    "event": "told",
    "data": '{"at":"2026-11-25T20:00:00.000000+00:00","trial":0}',
}
_EVENT = {
    "type": "object",
    "description": "One event of the stream.",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
    "required": ["event", "data"],
}


@router.get(
    "/v1/jobs/{job}/events",
    summary="What happens to a job, as it happens",
    response_class=Response,
    response_model=None,
    responses={
        200: {
            "description": "A stream of events. The id of an event is its sequence number in the "
            "job; `end` comes once, without an id, when the job has ended.",
            "content": {"text/event-stream": {"schema": _EVENT, "example": _EXAMPLE}},
        },
        **problems("event-unknown", "job-unknown", "request-invalid"),
    },
)
async def events(
    request: Request,
    job: JobId,
    last_event_id: Annotated[
        str | None, Header(description="Number of the last event that was seen.", max_length=20)
    ] = None,
    after: Annotated[
        int, Query(ge=0, le=2**31, description="The same, for clients that set no header.")
    ] = 0,
) -> StreamingResponse:
    """Begins behind `Last-Event-ID`, or with the first event; ends after the job's end."""
    service = service_of(request)
    service.events.check_room()
    position = await run_in_threadpool(service.trials.position, job)
    seen = after if last_event_id is None else _number(last_event_id)
    if seen > position.events:
        raise Problem(
            "event-unknown",
            f"job {job} has {position.events} events so far, got the number {seen}: begin with a "
            "number that was sent, or without one",
        )

    async def stream() -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        listening = service.events.listening(job, position.events, position.state)
        with suppress(AutopruneError):  # the client comes back with the last id it saw
            async with listening as feed:
                async for piece in _pieces(service.events, job, feed, seen):
                    yield piece

    return StreamingResponse(stream(), media_type="text/event-stream")


async def _pieces(hub: EventHub, job: str, feed: Feed, seen: int) -> AsyncIterator[str]:
    while True:
        changed = feed.changed  # before looking: a change in between is not slept through
        found = feed.after(seen)
        if found is None:
            found = await hub.missed(job, seen)
        for event in found:
            yield _shown(event)
            seen = event.sequence
        if found:
            continue
        if feed.state in ENDED:
            yield f"event: end\ndata: {text_of({'state': feed.state})}\n\n"
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), KEEP_ALIVE_S)
            continue
        yield ": keep-alive\n\n"


def _shown(event: Event) -> str:
    data = text_of({"at": event.at, **event.payload})
    kind = " ".join(event.kind.split())
    return f"id: {event.sequence}\nevent: {kind}\ndata: {data}\n\n"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise Problem(
            "event-unknown", "Last-Event-ID: expected the number of an event that was sent"
        )
    return int(text)
