"""A real server, a real Chromium, and a page that is watched for what it may not do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from browsing import Watched
from playwright.sync_api import Browser, sync_playwright
from running_server import Server, own_cache, serving
from served_world import CATALOG, measured_table

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with own_cache(tmp_path_factory.mktemp("cache")):
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on SQLite without tokens, with the tiny network's table and no job yet."""
    folder = tmp_path_factory.mktemp("served")
    table = measured_table(tmp_path_factory.mktemp("measured"))
    (folder / "catalog.yaml").write_text(CATALOG)
    with serving(folder, "--db", "jobs.db", "--catalog", "catalog.yaml") as running:
        running.store_table(table)
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium on this machine: install the package 'chromium' to test the page")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """An empty page of its own session."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Watched(context.new_page())
    context.close()
