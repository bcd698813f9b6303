"""`autoprune serve` as a real process, and what one asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests

PATIENCE_S = 120.0
SETTINGS = (
    *("AUTOPRUNE_DB", "AUTOPRUNE_DB_PASSWORD_FILE", "AUTOPRUNE_ARTIFACTS"),
    *("AUTOPRUNE_SERVER", "AUTOPRUNE_TOKEN", "AUTOPRUNE_TOKEN_FILE"),
)
PROBLEM = "application/problem+json"


@dataclass
class Server:
    """A running server; ``token`` goes with every request where there is one."""

    url: str
    process: subprocess.Popen[str]
    log: list[str]
    folder: Path
    token: str | None = None
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {**more.pop("headers", {})}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        more.setdefault("timeout", PATIENCE_S)
        return self.session.request(method, self.url + path, headers=headers, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return self.ask("POST", path, **more)

    def read(self, path: str, **more: Any) -> Any:
        """The JSON of an answer that is expected to be good."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, kind: str, method: str, path: str, **more: Any) -> dict[str, Any]:
        """The problem that a request is expected to be answered by."""
        return expect_problem(self.ask(method, path, **more), kind)

    def store_table(self, file: Path) -> None:
        """Send a table's file, which is expected to be sound."""
        headers = {"Content-Type": "application/json"}
        answer = self.post("/v1/tables", data=file.read_bytes(), headers=headers)
        assert answer.status_code == 201, answer.text

    def pages(self, path: str) -> Iterator[list[dict[str, Any]]]:
        """Every page of a list."""
        cursor = ""
        joint = "&" if "?" in path else "?"
        while True:
            found = self.read(path + (f"{joint}cursor={cursor}" if cursor else ""))
            yield found["items"]
            cursor = found["next"]
            if cursor is None:
                return


def expect_problem(answer: requests.Response, kind: str) -> dict[str, Any]:
    """The document of a problem, which has the shape that RFC 9457 says."""
    assert answer.headers["content-type"] == PROBLEM, answer.text
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"urn:autoprune:problem:{kind}", document
    assert document["status"] == answer.status_code
    assert document["title"]
    assert document["detail"]
    return document


@contextmanager
def own_cache(folder: Path) -> Iterator[None]:
    """The program's cache in a folder, also for the processes it starts; no other settings."""
    with patch.dict(os.environ, {"AUTOPRUNE_CACHE": str(folder), "OMP_NUM_THREADS": "1"}):
        for name in SETTINGS:
            os.environ.pop(name, None)
        yield


@contextmanager
def serving(folder: Path, *options: str | Path, token: str | None = None) -> Iterator[Server]:
    """A server on a free port of loopback, ended when the block ends."""
    command = ["-m", "autoprune.cli.main", "serve", "--port", "0", *map(str, options)]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log: list[str] = []
    try:
        url = _address(process, log)
        threading.Thread(target=_collect, args=(process, log), daemon=True).start()
        yield Server(url, process, log, folder, token)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _address(process: subprocess.Popen[str], log: list[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        log.append(line)
        if line.startswith("listening on "):
            return line.split()[-1]
    raise AssertionError("the server ended: " + "".join(log))


def _collect(process: subprocess.Popen[str], log: list[str]) -> None:
    assert process.stderr is not None
    log.extend(process.stderr)


def wait_until(holds: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come in time"
        time.sleep(0.1)


def events_of(answer: requests.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream, each with its fields; comments have none."""
    event: dict[str, Any] = {}
    for line in answer.iter_lines(decode_unicode=True):
        if not line:
            if event:
                yield event
            event = {}
            continue
        name, _, value = line.partition(": ")
        if line.startswith(":"):
            event["comment"] = line[1:].strip()
        else:
            event[name] = json.loads(value) if name == "data" else value
