"""One line for each request: what, how it went, how long it took; no header and no query."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("autoprune.access")
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class AccessLog:
    """ASGI middleware around everything; it also adds what every answer says, if not otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = list(message.get("headers", []))
                names = {name.lower() for name, _ in own}
                added = (header for header in _HEADERS if header[0] not in names)
                message["headers"] = [*own, *added]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            status = 500  # what is answered further out
            raise
        finally:
            caller = scope.get("state", {}).get("caller", "")
            spent = (time.monotonic() - begun) * 1e3
            # As Python writes it: a path may hold line breaks and worse.
            path = ascii(scope["path"])[1:-1][:200]
            _log.info("%s %s %d %.0f ms %s", scope["method"], path, status, spent, caller or "-")
