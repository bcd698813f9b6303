"""What the tests do in a browser, and a page that is watched for what it may not do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from playwright.sync_api import ConsoleMessage, Error, Page, Request
from running_server import Server
from served_world import JOB

PATIENCE_MS = 120_000
JOB_TEXT = yaml.safe_dump(JOB)
"""The job file of the tiny network, as a user would write it."""


@dataclass
class Watched:
    """A page with all that it asked for and complained of."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("request", self._note)
        self.page.on("console", self._hear)
        self.page.on("pageerror", self._fail)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _fail(self, error: Error) -> None:
        self.complaints.append(str(error))

    def expect_clean(self, server: Server) -> None:
        """Nothing was complained of, and nobody else was asked for anything."""
        assert self.complaints == []
        strangers = {
            request.url
            for request in self.requests
            if not request.url.startswith((f"{server.url}/", "data:", f"blob:{server.url}/"))
        }
        assert not strangers


def submit_text(page: Page, text: str) -> None:
    """Write a job file into the form, and send it."""
    page.get_by_label("Job file").fill(text)
    page.get_by_role("button", name="Submit").click()


@contextmanager
def working(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that ends when no job is left."""
    command = [sys.executable, "-m", "autoprune.cli.main", "worker", "--db", "jobs.db", "--drain"]
    process = subprocess.Popen(command, cwd=folder, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
