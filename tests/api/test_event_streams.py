"""A job's events come as they happen, each once, also after a connection was lost."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from running_server import Server, events_of, serving, wait_until
from served_world import World

from autoprune.trials.records import Lease


@pytest.fixture
def held(world: World) -> Iterator[Lease]:
    """A job at work, held by this test."""
    job = world.queue_copy()
    lease = world.store.acquire(job, "driver", 600.0)
    yield lease
    if world.store.job(job).state == "running":
        world.store.commit(lease, state="failed", error="the test is over")
        world.store.release(lease)


def listen(server: Server, job: str, last: str | None = None) -> requests.Response:
    headers = {} if last is None else {"Last-Event-ID": last}
    answer = server.get(f"/v1/jobs/{job}/events", headers=headers, stream=True)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return answer


def ids_of(events: list[dict[str, Any]]) -> list[int]:
    return [int(event["id"]) for event in events]


def all_ids(world: World, job: str) -> list[int]:
    """The numbers of all events that the database holds of a job."""
    found = [event.sequence for event in world.store.events(job)]
    assert found == list(range(1, len(found) + 1))
    return found


def trials_in(events: list[dict[str, Any]]) -> list[int]:
    return [event["data"]["trial"] for event in events if event["event"] == "told"]


def test_a_finished_job_tells_all_its_events_and_ends(server: Server, world: World) -> None:
    stored = world.store.events(world.job)
    first, *told, end = events_of(listen(server, world.job))
    assert first == {"retry": "2000"}
    assert ids_of(told) == all_ids(world, world.job)
    assert [event["event"] for event in told] == [event.kind for event in stored]
    for event, row in zip(told, stored, strict=True):
        assert event["data"] == {"at": row.at, **row.payload}
    assert end == {"event": "end", "data": {"state": "finished"}}


def test_a_lost_connection_is_taken_up_behind_the_last_event(server: Server, world: World) -> None:
    stored = world.store.events(world.job)
    for seen in (1, len(stored) - 1, len(stored)):
        _, *told, end = events_of(listen(server, world.job, str(seen)))
        assert ids_of(told) == all_ids(world, world.job)[seen:]
        assert end["event"] == "end"
    after = server.get(f"/v1/jobs/{world.job}/events?after=1", stream=True)
    assert [event.get("id") for event in events_of(after)][1] == "2"


@pytest.mark.parametrize("last", ["1000000", "-1", "x", "1.5", "٣"])
def test_the_number_of_no_event_is_refused(server: Server, world: World, last: str) -> None:
    headers = {"Last-Event-ID": last.encode()}
    server.refused("event-unknown", "GET", f"/v1/jobs/{world.job}/events", headers=headers)


def test_events_come_as_they_happen_to_all_who_listen(
    server: Server, world: World, held: Lease
) -> None:
    streams = [events_of(listen(server, held.job)) for _ in range(5)]
    for stream in streams:
        next(stream)
        assert next(stream)["event"] == "state"
    begun = time.monotonic()
    world.store.commit(held, events=[("told", {"trial": n}) for n in (1, 2)])
    for stream in streams:
        assert trials_in(list(itertools.islice(stream, 2))) == [1, 2]
    assert time.monotonic() - begun < 10
    world.store.commit(held, events=[("stage", {"stage": "done"})], state="finished", stage="done")
    world.store.release(held)
    for stream in streams:
        *last, end = stream
        assert [event["event"] for event in last] == ["stage", "state"]
        assert last[-1]["data"]["state"] == "finished"
        assert end == {"event": "end", "data": {"state": "finished"}}


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_stream_ends_with_a_job_that_does_not_finish(
    server: Server, world: World, held: Lease, state: str
) -> None:
    stream = events_of(listen(server, held.job))
    next(stream)
    world.store.commit(held, state=state, error="no luck")
    *told, end = stream
    assert ids_of(told) == all_ids(world, held.job)
    assert end == {"event": "end", "data": {"state": state}}
    world.store.release(held)


def test_a_paused_jobs_stream_stays_open(server: Server, world: World, held: Lease) -> None:
    stream = events_of(listen(server, held.job))
    next(stream)
    world.store.release(held)
    assert world.store.job(held.job).state == "paused"
    time.sleep(1.5)
    again = world.store.acquire(held.job, "another", 60.0)
    world.store.commit(again, events=[("told", {"trial": 0})], state="finished")
    *told, end = stream
    assert ids_of(told) == all_ids(world, held.job)
    assert trials_in(told) == [0]
    assert end["event"] == "end"
    world.store.release(again)


def test_a_stream_with_more_events_than_the_feed_holds_misses_none(
    server: Server, world: World, held: Lease
) -> None:
    stream = events_of(listen(server, held.job))
    next(stream)
    world.store.commit(held, events=[("told", {"trial": n}) for n in range(1200)])
    world.store.commit(held, events=[("stage", {"stage": "done"})], state="finished")
    *told, end = stream
    assert len(told) > 1200
    assert ids_of(told) == all_ids(world, held.job)
    assert end["event"] == "end"
    world.store.release(held)


def test_who_comes_and_goes_disturbs_nobody(server: Server, world: World, held: Lease) -> None:
    stay = events_of(listen(server, held.job))
    next(stay)
    assert next(stay)["event"] == "state"
    for n in range(3):
        gone = listen(server, held.job)
        gone.close()
        world.store.commit(held, events=[("told", {"trial": n})])
        assert next(stay)["data"]["trial"] == n
    assert server.read("/healthz") == {"status": "alive"}


def test_a_server_that_is_told_to_end_does_so_while_somebody_listens(world: World) -> None:
    job = world.queue_copy()
    with serving(world.folder, *world.options) as server:
        stream = events_of(listen(server, job))
        next(stream)
        begun = time.monotonic()
        server.process.terminate()
        with pytest.raises((StopIteration, requests.RequestException)):
            next(stream)
        assert server.process.wait(60) == 0
        assert time.monotonic() - begun < 30
    world.store.request_state(job, "cancelled")


def test_many_listeners_leave_the_lists_quick(server: Server, world: World, held: Lease) -> None:
    streams = [listen(server, held.job) for _ in range(60)]
    seen: list[int] = []

    def follow(answer: requests.Response) -> None:
        seen.extend(int(event["id"]) for event in events_of(answer) if "id" in event)

    threads = [threading.Thread(target=follow, args=(answer,)) for answer in streams]
    for thread in threads:
        thread.start()
    world.store.commit(held, events=[("told", {"trial": n}) for n in range(10)])
    assert server.get("/v1/jobs").elapsed.total_seconds() < 5
    world.store.commit(held, events=[("stage", {"stage": "done"})], state="finished")
    for thread in threads:
        thread.join(60)
    assert sorted(seen) == sorted(all_ids(world, held.job) * 60)
    world.store.release(held)
    wait_until(lambda: not any(thread.is_alive() for thread in threads), "the end of all streams")
