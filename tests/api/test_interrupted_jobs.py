"""A job whose driver was lost is shown as interrupted, with how it goes on."""

from __future__ import annotations

import subprocess
import sys
from unittest.mock import patch

import pytest
from running_server import Server
from served_world import World
from tiny_program import Run, expect_done

from autoprune.jobs import lease as leasing


def listed(server: Server, job: str) -> str:
    [line] = server.read(f"/v1/jobs?starts_with={job}")["items"]
    return str(line["state"])


def test_a_job_whose_lease_has_ended_is_interrupted_everywhere(
    server: Server, world: World, remote: Run
) -> None:
    """Nothing else happens to the job when a lease ends."""
    job = world.queue_copy()
    lease = world.store.acquire(job, "another host/1", 60.0)
    assert server.read(f"/v1/jobs/{job}")["state"] == listed(server, job) == "running"
    world.store.renew(lease, -1.0)
    assert server.read(f"/v1/jobs/{job}")["state"] == listed(server, job) == "interrupted"
    assert world.printed("show", job)["state"] == "interrupted"
    [line] = [line for line in world.printed("jobs") if line["job"] == job]
    assert (line["state"], line["trials_told"], line["budget"]) == ("interrupted", 0, ["65%"])
    for command in (("show", job), ("jobs",)):
        said = expect_done(remote(*command)).err
        assert f"job {job} was interrupted: its process is gone. Go on with" in said
        assert f"'autoprune resume {job}'" in said
    world.store.renew(lease, 60.0)
    assert server.read(f"/v1/jobs/{job}")["state"] == listed(server, job) == "running"
    world.store.renew(lease, -1.0)
    assert server.post(f"/v1/jobs/{job}:pause").json()["state"] == "paused"
    assert listed(server, job) == "paused"


def test_of_a_job_for_workers_it_is_said_that_another_one_takes_it(world: World) -> None:
    done = world.store.job(world.job)
    what = (done.what, done.what_hash, done.how, "env", done.base)
    job = world.store.create_job(*what, priority=0)
    world.store.acquire(job, "another host/1", -1.0)
    said = world.run("show", job).err
    assert "its worker is gone, and another one takes it" in said
    world.store.request_state(job, "cancelled")


def test_a_process_of_this_machine_that_was_killed_is_missed_at_once(
    world: World, server: Server
) -> None:
    job = world.queue_copy()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with patch.object(leasing.os, "getpid", return_value=child.pid):
        world.store.acquire(job, leasing.owner_name(), 60.0)
    assert listed(server, job) == "running"
    child.kill()
    child.wait()
    assert listed(server, job) == "interrupted"
    world.store.request_state(job, "cancelled", leasing.owner_is_gone)


@pytest.mark.parametrize("state", ["paused", "cancelled", "failed", "finished"])
def test_a_job_that_stands_still_is_not_interrupted(world: World, state: str) -> None:
    job = world.queue_copy()
    lease = world.store.acquire(job, "driver", 60.0)
    world.store.commit(lease, state=state)  # type: ignore[arg-type]
    world.store.renew(lease, -1.0)
    assert world.printed("show", job)["state"] == state
