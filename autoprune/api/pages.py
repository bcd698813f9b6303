"""Pages of lists, and the cursors between them."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

from fastapi import Query

from autoprune.api.problems import Problem
from autoprune.trials.records import Json

Limit = Annotated[int, Query(ge=1, le=500, description="Most items of the page.")]
Cursor = Annotated[
    str | None, Query(max_length=300, description="`next` of the page before; none begins.")
]


def page(items: list[Json], limit: int, of: str, place: list[Any] | None) -> Json:
    """One page, with the cursor of the next one where there may be more.

    Args:
        of: what list it is of; a cursor is of no use for another one.
        place: of the last item; None where there is none.
    """
    next = None if place is None or len(items) < limit else _cursor(of, place)
    return {"items": items, "next": next}


def place_of(cursor: str | None, of: str, kinds: tuple[type, ...]) -> list[Any] | None:
    """Where the page before ended; None for the first page.

    Raises:
        Problem: the cursor is none, or is of another list.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        given, place = found["of"], found["at"]
        whole = isinstance(place, list) and [type(each) for each in place] == list(kinds)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Problem("cursor-invalid", "expected a cursor as 'next' of a page gives it") from None
    if given != of:
        raise Problem("cursor-invalid", "this cursor is of another list: begin without one")
    if not whole or not all(_is_sane(each) for each in place):
        raise Problem("cursor-invalid", "expected a cursor as 'next' of a page gives it")
    return list(place)


def _is_sane(value: object) -> bool:
    """What an id, a time or an index can be: a cursor is of our making, or of anybody's."""
    if isinstance(value, str):
        return value.isascii() and value.isprintable() and len(value) <= 64
    return isinstance(value, int) and 0 <= value < 2**31


def _cursor(of: str, place: list[Any]) -> str:
    content = json.dumps({"of": of, "at": place}, separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")
