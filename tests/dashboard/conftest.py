"""A real server, a real Chromium, and a page that is watched for what it may not do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import Watched
from playwright.sync_api import Browser
from running_server import Server, own_cache, serving
from served_world import CATALOG, measured_table


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


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """An empty page of its own session."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Watched(context.new_page())
    context.close()
