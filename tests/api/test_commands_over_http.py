"""The commands ask a server what they ask a database, and get the same."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from running_server import Server, serving
from served_world import JOB, World
from tiny_program import Said, expect_done, run_program

Run = Callable[..., Said]


@pytest.fixture
def remote(server: Server, tmp_path: Path) -> Iterator[Run]:
    """A command with the server named by the environment, in a folder without a database."""
    with patch.dict(os.environ, {"AUTOPRUNE_SERVER": server.url}):
        yield lambda *words: run_program(*words, folder=tmp_path)
    assert not (tmp_path / "autoprune.db").exists()


def test_jobs_and_trials_are_listed_alike(remote: Run, world: World) -> None:
    assert remote("jobs", "--json").json == world.printed("jobs")
    assert world.job in remote("jobs").out
    assert remote("trials", world.job, "--json").json == world.printed("trials", world.job)


def test_a_job_is_shown_alike(remote: Run, world: World) -> None:
    shown, printed = remote("show", world.job, "--json").json, world.printed("show", world.job)
    assert isinstance(printed, dict)
    assert {key: shown[key] for key in printed} == printed
    assert "time each group saves" in remote("show", world.job, "--why").out
    said = remote("show", world.job, "--front")
    assert said.code == 2
    assert "/front" in said.err


def test_a_job_file_is_submitted_paused_queued_again_and_cancelled(
    remote: Run, world: World, tmp_path: Path
) -> None:
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(JOB))
    queued = expect_done(remote("search", "job.yaml", "--seed", "3", "--json")).json
    job = queued["job"]
    assert queued == {"job": job, "state": "queued"}
    assert world.store.job(job).what["seed"] == 3
    assert "is paused" in expect_done(remote("pause", job)).err
    assert world.store.job(job).state == "paused"
    assert expect_done(remote("resume", job)).out.strip() == job
    assert world.store.job(job).state == "queued"
    changed = expect_done(remote("cancel", job, "--json")).json
    assert changed == {"job": job, "state": "cancelled", "desired_state": None}


def test_a_bundle_is_fetched_whole_or_not_at_all(remote: Run, world: World, tmp_path: Path) -> None:
    files = expect_done(remote("export", world.job, "--out", "bundle", "--json")).json
    written = json.loads(Path(tmp_path / files["schedule"]).read_text())
    assert written["provenance"]["job"] == world.job
    kept = world.folder / "bundle"
    fetched = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    assert fetched == {path.name: path.read_bytes() for path in kept.iterdir()}
    said = remote("export", world.job, "--out", "bundle")
    assert said.code == 2
    expect_done(remote("export", world.job, "--out", "bundle", "--overwrite"))
    assert remote("export", "00000000", "--out", "other").code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_refusals_have_the_exit_codes_of_the_commands(remote: Run, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(JOB))
    for code, words in (
        (3, ("search", "job.yaml", "--budget", "0.001%")),
        (2, ("search", "job.yaml", "--weights", "mine.pt")),
        (2, ("search", "job.yaml", "--model", "mine.py:network")),
        (2, ("show", "00000000")),
        (2, ("pause", "nonsense/../x")),
        (2, ("show", "0" * 8, "--server", "ftp://here")),
        (1, ("show", "0" * 8, "--server", "http://127.0.0.1:9")),
    ):
        said = remote(*words)
        assert said.code == code, (words, said.err)
        assert said.out == ""
        assert "Traceback" not in said.err


def test_the_token_comes_from_the_environment(tmp_path: Path) -> None:
    words = ("token", "create", "ci", "--db", "jobs.db")
    token = expect_done(run_program(*words, folder=tmp_path)).out.strip()
    with serving(tmp_path, "--db", "jobs.db") as server:
        ask = ("jobs", "--json", "--server", server.url)
        refused = run_program(*ask, folder=tmp_path)
        assert refused.code == 2
        assert "AUTOPRUNE_TOKEN" in refused.err
        with patch.dict(os.environ, {"AUTOPRUNE_TOKEN": token}):
            assert run_program(*ask, folder=tmp_path).json == []
