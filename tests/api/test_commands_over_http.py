"""The commands ask a server what they ask a database, and get the same."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from running_server import serving
from served_world import JOB, World
from tiny_program import Run, expect_done, run_program


def own_names(line: dict[str, Any]) -> dict[str, str]:
    """What the catalog calls that which a job of these tests has."""
    assert line["model"].endswith("tiny_net.py:network")
    assert line["data"].endswith("tiny_net.py:split_loaders")
    return {"model": "tiny", "data": "tiny"}


def test_jobs_and_trials_are_listed_alike(remote: Run, world: World) -> None:
    listed, printed = remote("jobs", "--json").json, world.printed("jobs")
    assert [{**line, **own_names(line)} for line in printed] == listed
    assert world.job in remote("jobs").out
    assert remote("trials", world.job, "--json").json == world.printed("trials", world.job)


def test_a_job_is_shown_alike(remote: Run, world: World) -> None:
    shown, printed = remote("show", world.job, "--json").json, world.printed("show", world.job)
    assert isinstance(printed, dict)
    assert {key: shown[key] for key in printed} == printed
    assert "time each group saves" in remote("show", world.job, "--why").out


def test_the_front_is_shown_and_drawn_alike(remote: Run, world: World, tmp_path: Path) -> None:
    both = remote("show", world.job, "--front", "--why", "--json").json
    printed = world.printed("show", world.job, "--front", "--why")
    assert {key: both[key] for key in printed} == printed
    here = world.run("show", world.job, "--front")
    assert remote("show", world.job, "--front").out == here.out
    pages = [tmp_path / "remote.html", tmp_path / "local.html"]
    expect_done(remote("show", world.job, "--front", "--plot", pages[0]))
    expect_done(world.run("show", world.job, "--front", "--plot", pages[1]))
    assert pages[0].read_bytes() == pages[1].read_bytes()
    waiting = world.queue_copy()
    said = remote("show", waiting, "--front")
    assert (said.code, said.out) == (2, "")
    assert "no trial of it has a score" in said.err
    world.store.request_state(waiting, "cancelled")


def test_another_budget_is_answered_alike(remote: Run, world: World) -> None:
    """The command that refines the answer asks the same server."""
    words = ("search", "--from", world.job, "--budget", "50%")
    before = len(world.store.jobs())
    assert expect_done(remote(*words, "--json")).json == world.printed(*words)
    assert remote("search", "--from", world.job, "--json").json["budget"] == ["65%"]
    said = expect_done(remote(*words))
    assert "4 evaluations" in said.out
    refine = shlex.split(said.err.splitlines()[-1])
    assert refine[1:6] == list(words)
    assert refine[6:] == ["--server", os.environ["AUTOPRUNE_SERVER"], "--trials", "20"]
    assert len(world.store.jobs()) == before


def test_a_job_that_begins_with_another_is_submitted(remote: Run, world: World) -> None:
    words = ("search", "--from", world.job, "--budget", "50%", "--trials", "3", "--seed", "5")
    job = expect_done(remote(*words)).out.strip()
    stored, first = world.store.job(job), world.store.job(world.job)
    answer = world.printed("search", "--from", world.job, "--budget", "50%")
    assert stored.state == "queued"
    assert stored.how["spec"]["from_job"] == world.job
    assert (stored.what["trials"], stored.what["seed"]) == (3, 5)
    assert stored.what["weights"] == first.what["weights"]
    assert stored.what["start"]["first"] == [list(answer["schedule"].values())]
    assert stored.how["spec"]["race_steps"] == first.how["spec"]["race_steps"]
    world.store.request_state(job, "cancelled")


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
    refused = remote("resume", job, "--finetune-epochs", "3", "--unmeasured")
    assert (refused.code, world.store.job(job).state) == (2, "paused")
    assert "leave --finetune-epochs, --unmeasured out" in refused.err
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
        (2, ("show", "00000000", "--front")),
        (2, ("search", "--from", "00000000")),
        (2, ("search", "--from", "00000000", "--trials", "2")),
        (2, ("search", "--from", "../nothing")),
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
        (tmp_path / "token").write_text(f"{token}\n")
        with patch.dict(os.environ, {"AUTOPRUNE_TOKEN_FILE": "token"}):
            assert run_program(*ask, folder=tmp_path).json == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"AUTOPRUNE_TOKEN_FILE": "gone"}, "$AUTOPRUNE_TOKEN_FILE names gone, which cannot be"),
        ({"AUTOPRUNE_TOKEN_FILE": "empty"}, "which is empty"),
        ({"AUTOPRUNE_TOKEN_FILE": "two words"}, "$AUTOPRUNE_TOKEN_FILE gives no token"),
        ({"AUTOPRUNE_TOKEN": "two\nhidden-lines"}, "$AUTOPRUNE_TOKEN gives no token"),
        ({"AUTOPRUNE_TOKEN": "hidden", "AUTOPRUNE_TOKEN_FILE": "good"}, "unset one of them"),
    ],
)
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(
    tmp_path: Path, given: dict[str, str], says: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two words").write_text("hidden words")
    (tmp_path / "good").write_text("hidden")
    with patch.dict(os.environ, given):
        said = run_program("jobs", "--server", "http://127.0.0.1:9", folder=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert "hidden" not in said.err
