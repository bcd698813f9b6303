"""A job is named by the beginning of its id, of a server as of a database."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from unittest.mock import patch

import pytest
from running_server import Server
from served_world import World
from tiny_program import Run, expect_done


def begin_so(world: World, start: str) -> int:
    """How many jobs' ids begin so."""
    return sum(job.id.startswith(start) for job in world.store.jobs())


@pytest.fixture
def twins(world: World) -> Iterator[list[str]]:
    """Two jobs whose ids begin with the same four digits, as no other's do."""
    start = next(s for s in map("{:04x}".format, count()) if not begin_so(world, s))
    ids = [f"{start}ee01", f"{start}ee02"]
    with patch("autoprune.trials.job_store.secrets.token_hex", side_effect=ids):
        made = [world.queue_copy(), world.queue_copy()]
    yield made
    for job in made:
        world.store.request_state(job, "cancelled")


def test_every_command_takes_the_beginning_of_an_id(
    remote: Run, world: World, twins: list[str]
) -> None:
    start = next(world.job[:n] for n in range(1, 8) if begin_so(world, world.job[:n]) == 1)
    assert expect_done(remote("show", start.upper(), "--json")).json["job"] == world.job
    assert remote("show", start, "--front").out == remote("show", world.job, "--front").out
    assert remote("trials", start, "--json").json == world.printed("trials", world.job)
    answer = ("search", "--budget", "50%", "--json", "--from")
    assert expect_done(remote(*answer, start)).json == remote(*answer, world.job).json
    expect_done(remote("export", start, "--out", "bundle"))
    first = twins[0]
    assert expect_done(remote("pause", first[:7] + "1", "--json")).json["job"] == first
    assert expect_done(remote("resume", first.upper())).out.strip() == first
    begun = expect_done(remote("search", "--from", start, "--budget", "50%", "--trials", "3"))
    job = begun.out.strip()
    assert world.store.job(job).how["spec"]["from_job"] == world.job
    world.store.request_state(job, "cancelled")


def test_a_beginning_of_several_or_of_none_is_refused_as_of_a_database(
    remote: Run, twins: list[str]
) -> None:
    start = twins[0][:4]
    for command in (["show"], ["trials"], ["pause"], ["resume"], ["search", "--from"]):
        several = remote(*command, start)
        assert (several.code, several.out) == (2, "")
        assert f"{start!r} is the start of several jobs, {', '.join(twins)}" in several.err
        for name in (f"{start}ee03", f"{start}1", "nonsense"):
            none = remote(*command, name)
            assert (none.code, none.out) == (2, "")
            assert f"no job {name!r} on this server" in none.err
            assert "--db" not in none.err


def test_the_list_of_jobs_can_be_cut_to_a_beginning(server: Server, twins: list[str]) -> None:
    pages = list(server.pages(f"/v1/jobs?starts_with={twins[0][:4]}&limit=1"))
    assert [job["job"] for page in pages for job in page] == twins[::-1]
    [line] = server.read(f"/v1/jobs?starts_with={twins[1]}")["items"]
    assert line["job"] == twins[1]
    assert server.read(f"/v1/jobs?starts_with={twins[0][:6]}03")["items"] == []
    server.refused("request-invalid", "GET", "/v1/jobs?starts_with=e%25")
