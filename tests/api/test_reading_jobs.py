"""What the service says of jobs is what the commands say."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile

import pytest
from running_server import Server
from served_world import World
from sqlalchemy import delete, update

from autoprune.trials.engine import connect
from autoprune.trials.models import Job
from autoprune.trials.records import NewTrial


def test_a_job_is_what_show_prints_and_more(server: Server, world: World) -> None:
    shown = server.read(f"/v1/jobs/{world.job}")
    printed = world.printed("show", world.job)
    assert isinstance(printed, dict)
    assert printed == {key: shown[key] for key in printed}
    assert (shown["model"], shown["data"]) == ("tiny", "tiny"), "names, not the server's paths"
    assert (shown["trials_planned"], shown["desired_state"], shown["has_bundle"]) == (4, None, True)
    [savings] = shown["savings"]
    for shares in (shown["layer_shares"], savings["layer_shares"]):
        assert set(shares) >= set(shown["best"]["layers"])
        assert sum(shares.values()) == pytest.approx(1.0)
    assert sum(group["share"] for group in savings["groups"]) == pytest.approx(1.0)


def test_the_list_tells_how_far_a_job_is_and_its_best_score(server: Server, world: World) -> None:
    [line] = [job for page in server.pages("/v1/jobs") for job in page if job["job"] == world.job]
    trials = server.read(f"/v1/jobs/{world.job}/trials")["items"]
    assert line["trials_told"] == len(trials) == 4
    assert line["best_score"] == min(trial["score"] for trial in trials)
    assert line["base_score"] == server.read(f"/v1/jobs/{world.job}")["base"]["score"]


def test_a_job_of_a_newer_version_is_one_line_among_the_others(
    server: Server, world: World
) -> None:
    done = world.store.job(world.job)
    odd = {**done.what, "trials": "as many as it takes", "metric": "loss"}
    job = world.store.create_job(odd, "h", {**done.how, "budget": None}, "env", done.base)
    with connect(world.db).begin() as connection:
        connection.execute(update(Job).where(Job.id == job).values(state="archived", stage="v9"))
    try:
        listed = {line["job"]: line for page in server.pages("/v1/jobs") for line in page}
    finally:
        with connect(world.db).begin() as connection:
            connection.execute(delete(Job).where(Job.id == job))
    assert (listed[job]["state"], listed[job]["stage"]) == ("archived", "v9")
    assert (listed[job]["trials"], listed[job]["best_score"], listed[job]["budget"]) == (
        *(None, None),
        [],
    )
    assert listed[world.job]["trials"] == 4


def test_no_answer_tells_where_things_lie_on_the_server(server: Server, world: World) -> None:
    for path in ("/v1/jobs", f"/v1/jobs/{world.job}", f"/v1/jobs/{world.job}/schedule", "/v1/data"):
        text = server.get(path).text
        assert str(world.folder) not in text
        assert "tiny_net.py" not in text


def test_trials_come_in_pages_that_add_up_to_the_commands_list(
    server: Server, world: World
) -> None:
    pages = list(server.pages(f"/v1/jobs/{world.job}/trials?limit=3"))
    assert [len(page) for page in pages] == [3, 1]
    assert [trial for page in pages for trial in page] == world.printed("trials", world.job)


def test_a_page_that_ends_the_list_exactly_is_followed_by_nothing(
    server: Server, world: World
) -> None:
    pages = list(server.pages(f"/v1/jobs/{world.job}/trials?limit=4"))
    assert [len(page) for page in pages] == [4, 0]


def test_the_front_is_the_commands_front(server: Server, world: World) -> None:
    front = server.read(f"/v1/jobs/{world.job}/front")
    printed = world.printed("show", world.job, "--front")
    assert isinstance(printed, dict)
    assert front["front"] == printed["front"]
    assert front["limit_s"] == printed["budget"]["latency_s"]
    assert front["unpruned"]["latency_s"] == printed["base"]["measured_latency_s"]
    assert front["chosen"]["latency_s"] == printed["best"]["predicted_latency_s"]


def test_the_schedule_of_a_finished_job_is_what_the_bundle_says(
    server: Server, world: World
) -> None:
    schedule = server.read(f"/v1/jobs/{world.job}/schedule")
    archive = zipfile.ZipFile(io.BytesIO(server.get(f"/v1/jobs/{world.job}/export").content))
    written = json.loads(archive.read("schedule.json"))
    assert schedule["layers"] == written["layers"]
    assert schedule["groups"] == written["groups"]
    assert schedule["digest"] == written["provenance"]["digest"]
    assert schedule["measured_latency_s"] == written["latency"]["measured_s"]


def test_the_bundle_comes_as_the_zip_that_was_stored(server: Server, world: World) -> None:
    answer = server.get(f"/v1/jobs/{world.job}/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.content == world.bundle
    hashed = base64.b64encode(hashlib.sha256(world.bundle).digest()).decode()
    assert answer.headers["repr-digest"] == f"sha-256=:{hashed}:"


def test_a_job_that_goes_on_is_shown_as_it_stands(server: Server, world: World) -> None:
    """What is remembered of a job is told only as long as nothing happened to it."""
    job = world.queue_copy()
    assert server.read(f"/v1/jobs/{job}")["trials"] == 0
    lease = world.store.acquire(job, "driver", 60.0)
    assert server.read(f"/v1/jobs/{job}")["state"] == "running"
    widths = tuple(group["units"] for group in world.store.job(job).what["groups"])
    asked = NewTrial(0, "candidate", widths, None, {"latency_s": 0.001}, "key")
    world.store.commit(lease, asked=[asked])
    assert server.read(f"/v1/jobs/{job}")["trials"] == 1
    server.refused("job-unfinished", "GET", f"/v1/jobs/{job}/schedule")
    server.refused("job-unfinished", "GET", f"/v1/jobs/{job}/export")
    world.store.commit(lease, state="finished", stage="done")
    world.store.release(lease)
    assert server.read(f"/v1/jobs/{job}")["has_bundle"] is False
    refused = server.refused("bundle-missing", "GET", f"/v1/jobs/{job}/export")
    assert f"autoprune export {job}" in refused["detail"]


def test_jobs_come_newest_first_in_pages_and_by_state(server: Server, world: World) -> None:
    made = [world.queue_copy() for _ in range(5)]
    listed = [job for page in server.pages("/v1/jobs?limit=2") for job in page]
    assert [job["job"] for job in listed][:5] == made[::-1]
    assert len({job["job"] for job in listed}) == len(listed) == len(world.store.jobs())
    queued = [job for page in server.pages("/v1/jobs?limit=2&state=queued") for job in page]
    assert {job["job"] for job in queued} == set(made)
    assert {job["state"] for job in queued} == {"queued"}
    assert listed[0]["budget"] == ["65%"]
    assert listed[0]["model"] == "tiny"
    for job in made:
        assert server.post(f"/v1/jobs/{job}:cancel").json()["state"] == "cancelled"


def test_a_job_that_is_added_between_two_pages_moves_none(server: Server, world: World) -> None:
    first = server.read("/v1/jobs?limit=1")
    late = world.queue_copy()
    second = server.read(f"/v1/jobs?limit=1&cursor={first['next']}")
    assert second["items"][0]["job"] not in (first["items"][0]["job"], late)
    world.store.request_state(late, "cancelled")


@pytest.mark.parametrize(
    "cursor", ["nonsense", "e30", "eyJvZiI6MX0", "%00", "a" * 299, "W1tbW1tbW1s", "é"]
)
def test_what_is_no_cursor_is_refused(server: Server, world: World, cursor: str) -> None:
    server.refused("cursor-invalid", "GET", f"/v1/jobs/{world.job}/trials?cursor={cursor}")
    server.refused("cursor-invalid", "GET", f"/v1/jobs?cursor={cursor}")


def test_a_cursor_of_another_list_is_refused(server: Server, world: World) -> None:
    cursor = server.read(f"/v1/jobs/{world.job}/trials?limit=1")["next"]
    other = world.queue_copy()
    refused = server.refused("cursor-invalid", "GET", f"/v1/jobs/{other}/trials?cursor={cursor}")
    assert "another list" in refused["detail"]
    server.refused("cursor-invalid", "GET", f"/v1/jobs?cursor={cursor}")
    cursor = server.read("/v1/jobs?limit=1")["next"]
    server.refused("cursor-invalid", "GET", f"/v1/jobs?state=queued&cursor={cursor}")
    world.store.request_state(other, "cancelled")
