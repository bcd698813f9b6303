"""Bodies read strictly, whole or not at all, within bounds of size, time and depth."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, Self

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from autoprune.api.problems import Problem

MOST_BYTES = 2**20
DEEPEST = 32
READ_S = 60.0
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
"""A string, or a bracket."""


class StrictRequest(Request):
    """A request whose body is bounded, and whose JSON has one reading only."""

    most_bytes = MOST_BYTES

    @classmethod
    def of(cls, request: Request) -> Self:
        """The same request, read so."""
        return cls(request.scope, request.receive)

    async def body(self) -> bytes:
        """The body, also of one that comes in pieces and says no length.

        Raises:
            Problem: it is too large, or takes too long.
        """
        if not hasattr(self, "_body"):
            try:
                async with asyncio.timeout(READ_S):
                    self._body = await self._read()
            except TimeoutError:
                raise Problem("body-late", f"no whole body came within {READ_S:.0f} s") from None
        return self._body

    async def _read(self) -> bytes:
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.most_bytes:
            raise self._too_large()
        pieces: list[bytes] = []
        size = 0
        async for piece in self.stream():
            size += len(piece)
            if size > self.most_bytes:
                raise self._too_large()
            pieces.append(piece)
        return b"".join(pieces)

    def _too_large(self) -> Problem:
        return Problem(
            "body-too-large",
            f"expected at most {self.most_bytes} bytes",
            {"Connection": "close"},
        )

    async def json(self) -> Any:
        """The body's value; see :func:`read_json`."""
        return await run_in_threadpool(read_json, await self.body())


class StrictRoute(APIRoute):
    """A route whose body, where it takes one, is read strictly, as its media type says.

    Attributes:
        readers: media type -> the request that reads it.
    """

    readers: ClassVar[Mapping[str, type[StrictRequest]]] = {"application/json": StrictRequest}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given a strict request."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            reader = self.readers.get(_media_type(request))
            if reader is None:
                # A page of another site can send most other types without being asked first.
                if self.body_field is not None:
                    expected = " or ".join(self.readers)
                    raise Problem("media-type", f"expected Content-Type: {expected}")
                reader = StrictRequest
            return await handle(reader.of(request))

        return strictly


def read_json(body: bytes) -> Any:
    """A JSON value.

    Raises:
        Problem: it is no JSON in UTF-8, holds NaN or an infinity, a name twice, text that no
            database keeps, or is nested more than :data:`DEEPEST` deep.
    """
    try:
        text = body.decode("utf-8")
        _check_depth(text)
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_once_each,
        )
    except (ValueError, RecursionError) as error:
        raise Problem("body-unreadable", f"expected JSON in UTF-8: {error}"[:300]) from None
    if "\\u" in text or "\0" in text:
        check_text(value)
    return value


def _check_depth(text: str) -> None:
    """Count brackets outside of strings, before a parser follows them."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                raise ValueError(f"nested more than {DEEPEST} deep")
        elif token[0] in "]}":
            depth -= 1


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no finite number")
    return number


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def check_text(value: Any) -> None:
    """Escapes can say what UTF-8 cannot: NUL, and halves of pairs."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Problem("body-unreadable", "expected text without NUL and halves of pairs")
    elif isinstance(value, dict):
        for name, item in value.items():
            check_text(name)
            check_text(item)
    elif isinstance(value, list):
        for item in value:
            check_text(item)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
