"""A server instead of a database: what `--server URL` asks for."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import IO, Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import typer

from autoprune.errors import (
    AmbiguousJobError,
    AutopruneError,
    BudgetInfeasibleError,
    InputError,
    UnknownJobError,
)
from autoprune.secret_files import read_secret
from autoprune.trials.records import Json

TOKEN = "AUTOPRUNE_TOKEN"
TOKEN_FILE = "AUTOPRUNE_TOKEN_FILE"
TRIES = 3
_ID_LENGTH = 8
_START = re.compile(rf"[0-9a-f]{{1,{_ID_LENGTH}}}")
TIMEOUT_S = 600.0
"""A submission trains the built-in network where nobody has yet."""

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        help=f"Address of 'autoprune serve', in place of --db; its token is read from ${TOKEN} "
        f"or from the file that ${TOKEN_FILE} names.",
        envvar="AUTOPRUNE_SERVER",
    ),
]


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the token to wherever it leads."""

    def redirect_request(self, *_args: Any) -> None:
        return None


_open = build_opener(_NoRedirects).open


@dataclass(frozen=True)
class RemoteServer:
    """One server.

    Args:
        url: as in ``http://host:8000``.
        token: None where the server needs none.
    """

    url: str
    token: str | None

    @classmethod
    def at(cls, url: str) -> RemoteServer:
        """The server of an address, with the token of the environment."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"--server {url!r}: expected an address as in http://127.0.0.1:8000")
        return cls(url.rstrip("/"), _token())

    def get(self, path: str, **query: str | int | list[str]) -> Json:
        """The JSON of a path; each text of a list is a parameter of its own."""
        return self._json("GET", path, query=query)

    def items(self, path: str, **query: str | int | list[str]) -> Iterator[Json]:
        """Every item of a list, page by page."""
        while True:
            found = self.get(path, **query)
            yield from found["items"]
            if found["next"] is None:
                return
            query["cursor"] = found["next"]

    def job(self, named: str) -> str:
        """The whole id of a job that is named by it, or by the start of it.

        Raises:
            UnknownJobError, AmbiguousJobError: no job's id starts so, or several do.
        """
        start = named.lower()
        if not _START.fullmatch(start):
            raise UnknownJobError(named, on_server=True)
        if len(start) == _ID_LENGTH:
            return start
        items = self.items("/v1/jobs", starts_with=start, limit=500)
        listed = (str(item["job"]) for item in items)
        found = sorted(job for job in listed if job.startswith(start))
        if not found:
            raise UnknownJobError(named, on_server=True)
        if len(found) > 1:
            raise AmbiguousJobError(named, found)
        return found[0]

    def change(self, job: str, verb: str) -> Json:
        """Pause, resume or cancel a job, which is named as for :meth:`job`."""
        return self._json("POST", f"/v1/jobs/{self.job(job)}:{verb}")

    def submit(self, values: Mapping[str, Any]) -> Json:
        """Submit a job once, however often the connection is lost meanwhile."""
        if values.get("from_job") is not None:
            values = {**values, "from_job": self.job(str(values["from_job"]))}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        for left in reversed(range(TRIES)):
            try:
                return self._json("POST", "/v1/jobs", body=values, headers=headers)
            except (UnreachableError, ConnectionError):
                if not left:
                    raise
                time.sleep(2)
        raise AssertionError("the last try returns or raises")

    def _json(self, method: str, path: str, **more: Any) -> Json:
        with self.opened(method, path, **more) as answer:
            found: Json = json.load(answer)
            return found

    @contextmanager
    def opened(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int | list[str]] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[HTTPResponse]:
        """An answer, to be read.

        Raises:
            InputError, BudgetInfeasibleError: the server refuses, and says why.
            UnreachableError: there is no server, or it is busy or has no database.
        """
        request = Request(
            f"{self.url}{path}" + (f"?{urlencode(query, doseq=True)}" if query else ""),
            method=method,
            data=None if body is None else json.dumps(body, default=str).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        if self.token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            with _open(request, timeout=TIMEOUT_S) as answer:
                yield answer
        except HTTPError as error:
            raise _refusal(self.url, error.code, error) from None
        except (URLError, TimeoutError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError(f"the server {self.url} cannot be reached: {reason}") from None


def _token() -> str | None:
    """The token of the environment, or of the file that it names.

    Raises:
        InputError: there are both, the file cannot be read, or what was given is no token.
    """
    given, written = os.environ.get(TOKEN), read_secret(TOKEN_FILE)
    if given and written:
        raise InputError(f"both ${TOKEN} and ${TOKEN_FILE} are set: unset one of them")
    token = given or written
    # A header that cannot be sent would be shown, token and all, by the error of whoever sends it.
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        name = TOKEN if given else TOKEN_FILE
        raise InputError(f"${name} gives no token: expected what 'autoprune token create' printed")
    return token or None


class UnreachableError(AutopruneError):
    """No server, or one that is busy or without its database."""


def _refusal(url: str, status: int, body: IO[bytes]) -> AutopruneError:
    try:
        problem = json.load(body)
        kind, detail = problem["type"].rpartition(":")[2], problem["detail"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return InputError(f"{url} answers {status}: is it the address of 'autoprune serve'?")
    if kind == "unauthorized":
        return InputError(
            f"{url} needs a valid token: set ${TOKEN} to one, or ${TOKEN_FILE} to its file"
        )
    if kind == "budget-infeasible":
        return BudgetInfeasibleError(detail)
    if kind in ("server-busy", "database-unavailable"):
        return UnreachableError(f"{url}: {detail}")
    return InputError(f"{url}: {detail}")
