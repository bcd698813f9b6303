"""One tiny network, measured once, and one finished job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from tiny_program import (
    NETWORK,
    QUICK,
    SPACE,
    TINY,
    FinishedJob,
    Said,
    expect_done,
    run_program,
    snapshot,
)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program's cache of this session, also for the processes it starts."""
    folder = tmp_path_factory.mktemp("cache")
    with patch.dict(os.environ, {"AUTOPRUNE_CACHE": str(folder), "OMP_NUM_THREADS": "1"}):
        for name in ("AUTOPRUNE_DB", "AUTOPRUNE_ARTIFACTS"):
            os.environ.pop(name, None)
        yield folder


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Said]:
    """Runs a command in this test's own folder."""
    return lambda *words: run_program(*words, folder=tmp_path)


@pytest.fixture(scope="session")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """The tiny network's table in a file, and what `latency measure` said while writing it."""
    folder = tmp_path_factory.mktemp("measured")
    said = run_program(
        *("latency", "measure", "--model", f"{TINY}:network", "--input", "1x8x8", *SPACE),
        *("--out", "tiny.json", "--db", "tables.db", "--json"),
        folder=folder,
    )
    return folder / "tiny.json", expect_done(said)


@pytest.fixture(scope="session")
def table(measuring: tuple[Path, Said]) -> Path:
    return measuring[0]


@pytest.fixture(scope="session")
def tiny(table: Path) -> tuple[str, ...]:
    """Options of a search that takes a second: network, data, table, little of everything."""
    return (*NETWORK, "--table", str(table), *QUICK)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]) -> FinishedJob:
    folder = tmp_path_factory.mktemp("finished")
    said = run_program(
        "search",
        *tiny,
        "--budget",
        "65%",
        "--db",
        "jobs.db",
        "--out",
        "bundle",
        "--json",
        folder=folder,
    )
    return FinishedJob(folder, expect_done(said))


@pytest.fixture
def no_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever trains or measures fails the test."""

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("long work began before the input was refused")

    monkeypatch.setattr("autoprune.jobs.subject.train", refuse)
    monkeypatch.setattr("autoprune.jobs.devices.obtain", refuse)
    monkeypatch.setattr("autoprune.composition.latency.measure_table", refuse)


@pytest.fixture
def refused(tmp_path: Path, no_long_work: None) -> Callable[..., str]:
    """Runs a command that must be refused: its exit code, its words, and nothing written."""

    def expect(code: int, says: tuple[str, ...], *words: str | Path) -> str:
        before = snapshot(tmp_path)
        said = run_program(*words, folder=tmp_path)
        assert said.code == code, said.err
        assert said.out == ""
        assert "Traceback" not in said.err
        for word in says:
            assert word in said.err
        assert snapshot(tmp_path) == before
        return said.err

    return expect
