"""A refusal is a sentence for whoever wrote the request, and tells nothing of the server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from running_server import Server, expect_problem, serving
from served_world import JOB, World
from tiny_program import TINY, Run, run_program

from autoprune.api.hiding import without_folders


@pytest.mark.parametrize(
    ("wrong", "detail"),
    [
        ({"trails": 4}, "unknown field 'trails'; did you mean 'trials'?"),
        ({"fidelity": {"stepps": 3}}, "unknown field 'fidelity.stepps'; did you mean 'steps'?"),
        ({"trials": "many"}, "trials: expected a whole number, got 'many'"),
        ({"trials": 1.5}, "trials: expected a whole number, got 1.5"),
        ({"trials": 10**9}, "expected trials to be at most 100000, got 1000000000"),
        ({"fidelity": {"steps": -1}}, "fidelity.steps: expected at least 0, got -1"),
        ({"fidelity": {"momentum": 2}}, "fidelity.momentum: expected less than 1.0, got 2"),
        ({"unmeasured": "maybe"}, "unmeasured: expected true or false, got 'maybe'"),
        ({"warm_start": "amc"}, "warm_start: expected 'solver', got 'amc'"),
        ({"metric": "loss"}, "metric: expected fields with values, got 'loss'"),
        ({"table": 5}, "table: expected text or names with values, got 5"),
        ({"budget": [1]}, "budget.0: expected text, got 1"),
        ({"rules": [{"layer": "x", "layers": "y"}]}, "'rules.0.layer'; did you mean 'layers'?"),
        ({"rules": [{"min_keep": 0.5}]}, "rules.0.layers: is missing"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(
    server: Server, wrong: dict[str, Any], detail: str
) -> None:
    refused = expect_problem(server.post("/v1/jobs", json={**JOB, **wrong}), "request-invalid")
    assert detail in refused["detail"]


def test_a_field_that_is_like_none_is_told_those_there_are(server: Server) -> None:
    """Those of the server's own are none of them."""
    refused = expect_problem(server.post("/v1/jobs", json={"colour": 1}), "request-invalid")
    assert "unknown field 'colour'; fields are: model, data, budget" in refused["detail"]
    assert "artifacts" not in refused["detail"]


def test_a_wrong_value_in_an_address_is_told_alike(server: Server) -> None:
    refused = server.refused("request-invalid", "GET", "/v1/jobs?limit=0")
    assert refused["detail"] == "limit: expected at least 1, got '0'"
    refused = server.refused("request-invalid", "GET", "/v1/jobs?state=sleeping")
    assert "state: expected 'queued', 'running', 'paused'" in refused["detail"]


def test_a_command_says_of_a_servers_job_file_what_it_says_of_ones_own(
    remote: Run, tmp_path: Path
) -> None:
    (tmp_path / "job.yaml").write_text(yaml.safe_dump({**JOB, "trails": 4}))
    served = remote("search", "job.yaml")
    with patch.dict(os.environ):
        del os.environ["AUTOPRUNE_SERVER"]
        here = run_program("search", "job.yaml", folder=tmp_path)
    for said in (served, here):
        assert said.code == 2
        assert "unknown field 'trails'; did you mean 'trials'?" in said.err


def test_a_model_that_cannot_be_loaded_is_told_by_its_name(world: World, tmp_path: Path) -> None:
    """The operator finds what it stands for in the catalog."""
    file = tmp_path / "where it lies" / "broken.py"
    file.parent.mkdir()
    file.write_text(TINY.read_text())
    listed = {"models": {"mine": {"model": f"{file}:network"}}}
    (tmp_path / "catalog.yaml").write_text(yaml.safe_dump(listed))
    with serving(tmp_path, *world.options[:4], "--catalog", "catalog.yaml") as server:
        file.write_text("raise RuntimeError('not today')")
        answer = server.post("/v1/jobs", json={**JOB, "model": "mine", "data": "digits"})
    refused = expect_problem(answer, "job-refused")
    says = "model file 'mine' stopped on import with RuntimeError: not today, at broken.py:1"
    assert refused["detail"] == says


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cannot read /srv/data/cat/1.png: truncated", "cannot read 1.png: truncated"),
        ("no weights file '/srv/my weights/a.pt': give", "no weights file 'a.pt': give"),
        ("(/var/lib/x.py, line 3)", "(x.py, line 3)"),
        ("E: no, at /srv/my nets/x.py:12. It", "E: no, at x.py:12. It"),
        ("E: no, at my nets/x.py:12", "E: no, at x.py:12"),
        ("expected cost/budget of 1/2 at 3x224/x", "expected cost/budget of 1/2 at 3x224/x"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
    ],
)
def test_a_file_is_named_without_its_folder(text: str, told: str) -> None:
    assert without_folders(text) == told


def test_why_a_job_failed_is_told_without_folders(server: Server, world: World) -> None:
    """The operator reads all of it where the database is."""
    job = world.queue_copy()
    lease = world.store.acquire(job, "worker", 60.0)
    world.store.commit(lease, state="failed", error="cannot read /srv/data/cat/1.png")
    world.store.release(lease)
    assert server.read(f"/v1/jobs/{job}")["error"] == "cannot read 1.png"
    assert world.printed("show", job)["error"] == "cannot read /srv/data/cat/1.png"
