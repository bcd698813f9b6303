"""Pause, resume and cancel: at once where nobody holds the job, else by a wish."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from running_server import Server
from served_world import World


@pytest.fixture
def job(world: World) -> Iterator[str]:
    made = world.queue_copy()
    yield made
    if world.store.job(made).state in ("queued", "running", "paused"):
        world.store.request_state(made, "cancelled")


def test_a_job_nobody_holds_changes_at_once(server: Server, world: World, job: str) -> None:
    for verb, state in [("pause", "paused"), ("pause", "paused"), ("resume", "queued")]:
        changed = server.post(f"/v1/jobs/{job}:{verb}").json()
        assert changed == {"job": job, "state": state, "desired_state": None}
        assert world.store.job(job).state == state
    assert world.store.waiting_jobs()[-1] == job, "a worker can take it"
    assert server.post(f"/v1/jobs/{job}:cancel").json()["state"] == "cancelled"
    server.refused("job-state", "POST", f"/v1/jobs/{job}:pause")
    assert server.post(f"/v1/jobs/{job}:cancel").json()["state"] == "cancelled"
    assert server.post(f"/v1/jobs/{job}:resume").json()["state"] == "queued"


def test_a_job_at_work_gets_a_wish_that_its_driver_follows(
    server: Server, world: World, job: str
) -> None:
    lease = world.store.acquire(job, "driver", 60.0)
    changed = server.post(f"/v1/jobs/{job}:pause").json()
    assert (changed["state"], changed["desired_state"]) == ("running", "paused")
    assert world.store.desired_state(job) == "paused"
    assert server.read(f"/v1/jobs/{job}")["desired_state"] == "paused"
    server.refused("job-state", "POST", f"/v1/jobs/{job}:resume")
    assert server.post(f"/v1/jobs/{job}:cancel").json()["desired_state"] == "cancelled"
    world.store.release(lease)
    assert server.read(f"/v1/jobs/{job}")["state"] == "cancelled"


def test_a_failed_job_can_be_queued_again_and_a_finished_one_not(
    server: Server, world: World, job: str
) -> None:
    lease = world.store.acquire(job, "driver", 60.0)
    world.store.commit(lease, state="failed", error="no luck")
    world.store.release(lease)
    assert server.read(f"/v1/jobs/{job}")["error"] == "no luck"
    server.refused("job-state", "POST", f"/v1/jobs/{job}:pause")
    assert server.post(f"/v1/jobs/{job}:resume").json()["state"] == "queued"
    for verb in ("pause", "resume", "cancel"):
        server.refused("job-state", "POST", f"/v1/jobs/{world.job}:{verb}")
