"""Who may ask: holders of a token, or, while there are none, this very machine.

A service on loopback without tokens is open to everything that runs on the machine, also to a
browser that was led there by a page of another site. So the Host header must be loopback's (a name
of that site that was made to point here is refused), and a request that a page of another origin
sent is refused.
"""

from __future__ import annotations

import ipaddress
import time
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from autoprune.api.problems import Problem, problem_of, problem_response
from autoprune.api.service import Service
from autoprune.trials.token_store import TokenRecord, owner_of

_REMEMBERED_S = 1.0
"""A revoked token ceases to be good within this time."""

GUARDED = "/v1"


class Guard:
    """ASGI middleware before all of /v1, whether there is such a route or not."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._tokens: list[TokenRecord] = []
        self._read_at = -_REMEMBERED_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "http" and scope["path"].startswith(GUARDED):
            try:
                scope.setdefault("state", {})["caller"] = await self._caller(scope)
            except Exception as error:
                await problem_response(problem_of(error))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> str:
        tokens = await self._known_tokens()
        headers = Headers(scope=scope)
        if not tokens and not self._service.always_tokens:
            _check_local(scope, headers)
            return ""
        kind, _, token = headers.get("authorization", "").partition(" ")
        name = owner_of(token.strip(), tokens) if kind.lower() == "bearer" else None
        if name is None:
            raise Problem(
                "unauthorized",
                "send Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        return name

    async def _known_tokens(self) -> list[TokenRecord]:
        if time.monotonic() - self._read_at > _REMEMBERED_S:
            self._tokens = await run_in_threadpool(self._read_tokens)
            self._read_at = time.monotonic()
        return self._tokens

    def _read_tokens(self) -> list[TokenRecord]:
        self._service.readiness.ensure()
        return self._service.tokens.tokens()


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False


def _check_local(scope: Scope, headers: Headers) -> None:
    client = scope.get("client")
    if client is None or not is_loopback(client[0]):
        raise Problem("client-refused", "make a token with 'autoprune token create NAME'")
    hosts = headers.getlist("host")
    if len(hosts) != 1 or "@" in hosts[0] or not is_loopback(_hostname(f"//{hosts[0]}")):
        raise Problem(
            "client-refused", "the Host header is not this machine's: ask by localhost, or a token"
        )
    origin = headers.get("origin")
    if origin is not None and origin != f"{scope['scheme']}://{hosts[0]}":
        raise Problem("client-refused", "a page of another origin asks: use a token")


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
