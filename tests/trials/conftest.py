"""Every test that takes ``url`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect, open_engine
from autoprune.trials.models import Base
from autoprune.trials.records import Lease, NewTrial, TrialResult
from autoprune.trials.store import TrialStore


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return str(tmp_path / "jobs.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with our tables, and nothing in them."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        return str(shutil.copy(template, tmp_path / "jobs.db"))
    emptied = str(request.getfixturevalue("shared_postgres_url"))
    engine = open_engine(emptied)
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()
    return emptied


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "jobs.db"
    connect(str(path)).dispose()
    return path


@pytest.fixture(scope="session")
def shared_postgres_url(new_postgres_url: Callable[[], str]) -> str:
    url = new_postgres_url()
    connect(url).dispose()
    return url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = connect(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine, tmp_path: Path) -> TrialStore:
    return TrialStore(engine, ArtifactFolder(tmp_path / "artifacts"))


@pytest.fixture
def new_job(store: TrialStore) -> Callable[[], str]:
    def create() -> str:
        return store.create_job({"seed": 1}, "a" * 64, {"workers": 2}, "torch 2.13", {"score": 0.1})

    return create


@pytest.fixture
def job(new_job: Callable[[], str]) -> str:
    return new_job()


@pytest.fixture
def lease(store: TrialStore, job: str) -> Lease:
    return store.acquire(job, "driver", 60.0)


@pytest.fixture
def trial() -> Callable[[int], NewTrial]:
    return lambda index: NewTrial(
        index, "candidate", (8, 16 + index), None, {"latency_s": 0.001}, f"key {index}"
    )


@pytest.fixture
def result() -> TrialResult:
    return TrialResult(score=0.25, loss=0.25, accuracy=0.9, seconds=1.5)
