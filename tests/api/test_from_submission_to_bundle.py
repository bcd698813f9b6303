"""A job comes in over HTTP, a worker runs it, and its bundle goes out over HTTP."""

from __future__ import annotations

from pathlib import Path

from running_server import events_of, serving
from served_world import CATALOG, JOB
from tiny_program import expect_done, run_program


def test_a_job_goes_from_its_submission_to_its_bundle(tmp_path: Path, table_file: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    with serving(tmp_path, "--db", "jobs.db", "--catalog", "catalog.yaml") as server:
        server.store_table(table_file)
        answer = server.post("/v1/jobs", json={**JOB, "priority": 5})
        assert answer.status_code == 201, answer.text
        job = answer.json()["job"]
        [listed] = server.read("/v1/jobs?state=queued")["items"]
        assert (listed["job"], listed["priority"], listed["model"]) == (job, 5, "tiny")

        stream = events_of(server.get(f"/v1/jobs/{job}/events", stream=True))
        expect_done(run_program("worker", "--db", "jobs.db", "--drain", folder=tmp_path))
        *told, end = stream
        assert end == {"event": "end", "data": {"state": "finished"}}
        assert sum(event.get("event") == "told" for event in told) == 4

        shown = server.read(f"/v1/jobs/{job}")
        assert (shown["state"], shown["trials_told"], shown["has_bundle"]) == ("finished", 4, True)
        schedule = server.read(f"/v1/jobs/{job}/schedule")
        assert schedule["layers"] == shown["best"]["layers"]
        words = ("export", job, "--out", "bundle", "--server", server.url)
        expect_done(run_program(*words, folder=tmp_path))
        expect_done(run_program("verify", "bundle", "--no-measure", folder=tmp_path))
