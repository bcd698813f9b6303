"""A database with a finished job, on SQLite and on PostgreSQL, and a server over it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from running_server import Server, own_cache, serving
from served_world import World, make_world, measured_table
from tiny_program import Run, run_program


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The program's cache of this session, also for the processes it starts."""
    with own_cache(tmp_path_factory.mktemp("cache")):
        yield


@pytest.fixture(scope="session")
def table_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network's table, measured once, with its calibration."""
    return measured_table(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="session")
def sqlite_world(tmp_path_factory: pytest.TempPathFactory, table_file: Path) -> World:
    folder = tmp_path_factory.mktemp("sqlite")
    return make_world(folder, str(folder / "jobs.db"), table_file)


@pytest.fixture(scope="session")
def postgres_world(
    tmp_path_factory: pytest.TempPathFactory,
    table_file: Path,
    new_postgres_url: Callable[[], str],
) -> World:
    return make_world(tmp_path_factory.mktemp("postgres"), new_postgres_url(), table_file)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> World:
    kind = "sqlite_world" if request.param == "sqlite" else "postgres_world"
    found: World = request.getfixturevalue(kind)
    return found


@pytest.fixture(scope="session")
def server(world: World) -> Iterator[Server]:
    """A server without tokens, which many tests ask and none changes for the others."""
    with serving(world.folder, *world.options, "--max-queued", "8") as running:
        yield running


@pytest.fixture
def remote(server: Server, tmp_path: Path) -> Iterator[Run]:
    """A command with the server named by the environment, in a folder without a database."""
    with patch.dict(os.environ, {"AUTOPRUNE_SERVER": server.url}):
        yield lambda *words: run_program(*words, folder=tmp_path)
    assert not (tmp_path / "autoprune.db").exists()
