"""Another budget from a job of the server: answered at once, or submitted as a job of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from running_server import Server, serving
from served_world import World


def test_each_bound_is_a_parameter_of_its_own(server: Server, world: World) -> None:
    path = f"/v1/jobs/{world.job}/answer"
    both = server.read(path, params={"budget": ["60%", "params=70%"]})
    assert both["budget"] == ["60%", "params=70%"]
    base = server.read(f"/v1/jobs/{world.job}")["base"]
    assert both["predicted_latency_s"] <= 0.6 * base["measured_latency_s"]
    assert both["params"] <= 0.7 * base["params"]


@pytest.mark.parametrize(
    ("kind", "budget"),
    [
        ("budget-infeasible", "0.001%"),
        ("job-refused", "nonsense"),
        ("request-invalid", "5" * 300),
    ],
)
def test_a_budget_that_cannot_be_answered_is_refused(
    server: Server, world: World, kind: str, budget: str
) -> None:
    server.refused(kind, "GET", f"/v1/jobs/{world.job}/answer", params={"budget": budget})


def test_an_unknown_job_has_no_answer(server: Server) -> None:
    server.refused("job-unknown", "GET", "/v1/jobs/00000000/answer")
    server.refused("not-found", "GET", "/v1/jobs/nonsense/answer")


@pytest.mark.parametrize(
    ("kind", "says", "given"),
    [
        ("job-refused", "no job '00000000'", {"from_job": "00000000"}),
        ("request-invalid", "from_job", {"from_job": "../jobs.db"}),
        ("request-invalid", "from_job", {"from_job": "0000"}),
        ("job-refused", "leave model, data out", {"model": "tiny", "data": "tiny"}),
        ("job-refused", "divisor", {"divisor": 8}),
        ("budget-infeasible", "floor", {"budget": "0.001%"}),
    ],
)
def test_a_submission_that_cannot_begin_with_a_job_is_refused(
    server: Server, world: World, kind: str, says: str, given: dict[str, Any]
) -> None:
    before = len(world.store.jobs())
    body = {"from_job": world.job, "budget": "50%", "trials": 2, **given}
    refused = server.refused(kind, "POST", "/v1/jobs", json=body)
    assert says in refused["detail"]
    assert str(world.folder) not in str(refused)
    assert len(world.store.jobs()) == before


def test_a_job_of_what_is_not_listed_is_begun_with_by_the_operator_alone(
    world: World, tmp_path: Path
) -> None:
    """Its model was never named over HTTP, so answering would run code that nobody allowed."""
    with serving(tmp_path, "--db", world.db, "--artifacts", world.artifacts) as unlisted:
        path = f"/v1/jobs/{world.job}/answer"
        refused = [unlisted.refused("name-unknown", "GET", path)]
        body = {"from_job": world.job, "trials": 2}
        refused.append(unlisted.refused("name-unknown", "POST", "/v1/jobs", json=body))
    for each in refused:
        assert "has model and data that this server does not list" in each["detail"]
        assert "tiny_net" not in each["detail"]
