"""The queue for workers: who may take which job, and how jobs are paused, cancelled, put back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from autoprune.errors import InputError, LeaseLostError, UnknownJobError
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.queueing import LOSSES
from autoprune.trials.records import JobState, Lease
from autoprune.trials.store import TrialStore


@pytest.fixture
def queued(store: TrialStore) -> Callable[[int], str]:
    return lambda priority: store.create_job({}, "h", {}, "env", {}, priority=priority)


def states(store: TrialStore, job: str) -> list[object]:
    return [e.payload["state"] for e in store.events(job) if e.kind == "state"]


def test_jobs_wait_by_priority_and_then_by_age(
    store: TrialStore, queued: Callable[[int], str]
) -> None:
    first, urgent, second, late = queued(0), queued(5), queued(0), queued(-1)
    assert store.waiting_jobs() == [urgent, first, second, late]


def test_a_job_without_a_priority_is_never_for_workers(store: TrialStore, job: str) -> None:
    """Its user runs it: also when its driver was lost."""
    assert store.waiting_jobs() == []
    assert store.claim(job, "worker", 60.0) is None
    store.acquire(job, "driver", 0.0)
    assert store.waiting_jobs() == []
    assert store.claim(job, "worker", 60.0) is None


def test_a_claimed_job_waits_no_more_and_raises_the_epoch(
    store: TrialStore, queued: Callable[[int], str]
) -> None:
    job = queued(0)
    assert store.claim(job, "a", 60.0) == Lease(job, "a", 1)
    assert store.job(job).state == "running"
    assert store.waiting_jobs() == []
    assert store.claim(job, "b", 60.0) is None


def test_a_job_whose_worker_was_lost_waits_again(
    store: TrialStore, queued: Callable[[int], str]
) -> None:
    job = queued(0)
    old = store.claim(job, "a", 0.0)
    assert old is not None
    assert store.waiting_jobs() == [job]
    assert store.claim(job, "b", 60.0) == Lease(job, "b", 2)
    with pytest.raises(LeaseLostError):
        store.commit(old)


def test_a_worker_known_to_be_gone_need_not_expire(
    store: TrialStore, queued: Callable[[int], str]
) -> None:
    job = queued(0)
    store.claim(job, "gone", 60.0)
    assert store.waiting_jobs(lambda owner: owner == "other") == []
    assert store.waiting_jobs(lambda owner: owner == "gone") == [job]
    assert store.claim(job, "b", 60.0, lambda owner: owner == "gone") is not None


@pytest.mark.parametrize("state", ["paused", "cancelled", "failed", "finished"])
def test_a_job_that_stands_still_is_not_claimed(
    store: TrialStore, queued: Callable[[int], str], state: JobState
) -> None:
    job = queued(0)
    lease = store.acquire(job, "a", 60.0)
    store.commit(lease, state=state)
    store.release(lease)
    assert store.waiting_jobs() == []
    assert store.claim(job, "b", 60.0) is None
    assert store.job(job).state == state


def test_each_job_is_claimed_once_by_many_workers(
    url: str, store: TrialStore, tmp_path: Path, queued: Callable[[int], str]
) -> None:
    jobs = [queued(0) for _ in range(6)]
    claimed: list[Lease] = []
    barrier = threading.Barrier(4)

    def work(n: int) -> None:
        own = TrialStore(connect(url), ArtifactFolder(tmp_path))
        barrier.wait()
        while waiting := own.waiting_jobs():
            claimed.extend(
                lease for job in waiting if (lease := own.claim(job, f"worker {n}", 60.0))
            )

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(lease.job for lease in claimed) == sorted(jobs)


@pytest.mark.parametrize("desired", ["paused", "cancelled"])
def test_a_job_that_nobody_drives_is_stopped_at_once(
    store: TrialStore, queued: Callable[[int], str], desired: JobState
) -> None:
    job = queued(0)
    assert store.request_state(job, desired) == desired
    assert store.job(job).state == desired
    assert states(store, job) == [desired]


def test_a_driver_that_only_slept_is_fenced_off_by_a_pause(store: TrialStore, job: str) -> None:
    lease = store.acquire(job, "driver", 0.0)
    assert store.request_state(job, "paused") == "paused"
    with pytest.raises(LeaseLostError):
        store.commit(lease, events=[("late", {})])


def test_a_driver_hears_of_a_wish_with_its_next_step_and_follows_it_by_giving_the_job_back(
    store: TrialStore, job: str, lease: Lease
) -> None:
    assert store.commit(lease) is None
    assert store.request_state(job, "cancelled") == "running"
    assert store.job(job).desired_state == "cancelled"
    assert store.commit(lease) == "cancelled"
    store.release(lease, "queued")
    assert (store.job(job).state, store.job(job).desired_state) == ("cancelled", None)
    assert [event.kind for event in store.events(job)] == ["state", "wish", "state"]
    assert states(store, job) == ["running", "cancelled"]


def test_the_wish_for_a_job_whose_worker_was_lost_is_followed_by_the_next_one(
    store: TrialStore, queued: Callable[[int], str]
) -> None:
    job = queued(0)
    store.claim(job, "a", 60.0)
    store.request_state(job, "paused")
    assert store.claim(job, "b", 60.0, lambda owner: True) is None
    assert store.job(job).state == "paused"


def test_a_job_that_loses_worker_after_worker_and_gets_nowhere_is_failed(
    store: TrialStore, queued: Callable[[int], str]
) -> None:
    job = queued(0)
    for n in range(LOSSES - 1):
        assert store.claim(job, f"lost {n}", 0.0) is not None
    lease = store.claim(job, "told to stop", 60.0)
    assert lease is not None
    store.commit(lease, events=[("told", {"trial": 0})])
    store.release(lease, "queued")
    for n in range(LOSSES):
        assert store.claim(job, f"lost again {n}", 0.0) is not None, "a step forward counts"
    assert store.claim(job, "one more", 60.0) is None
    assert store.job(job).state == "failed"
    assert f"lost {LOSSES} times" in str(store.job(job).error)
    store.queue_job(job, 0, {})
    assert store.waiting_jobs() == [job]


def test_a_wish_is_dropped_when_the_job_is_acquired_again(store: TrialStore, job: str) -> None:
    store.acquire(job, "a", 60.0)
    store.request_state(job, "paused")
    assert store.desired_state(job) == "paused"
    store.acquire(job, "b", 60.0, steal=True)
    assert store.desired_state(job) is None


def test_what_cannot_be_asked_for_is_refused(store: TrialStore, job: str) -> None:
    for ask in (
        lambda: store.request_state("nope", "paused"),
        lambda: store.desired_state("nope"),
        lambda: store.queue_job("nope", 0, {}),
    ):
        with pytest.raises(UnknownJobError):
            ask()
    with pytest.raises(InputError, match="got 'running'"):
        store.request_state(job, "running")
    store.request_state(job, "cancelled")
    with pytest.raises(InputError, match=f"job {job} is cancelled: it cannot be paused"):
        store.request_state(job, "paused")
    lease = store.acquire(job, "a", 60.0)
    store.commit(lease, state="finished")
    store.release(lease)
    for ask in (
        lambda: store.request_state(job, "cancelled"),
        lambda: store.queue_job(job, 0, {}),
    ):
        with pytest.raises(InputError, match="finished"):
            ask()


def test_a_stopped_job_is_put_back_with_another_priority(store: TrialStore, job: str) -> None:
    for stop in ("paused", "cancelled"):
        store.request_state(job, stop)  # type: ignore[arg-type]
        store.queue_job(job, 4, {"workers": 9})
        assert store.waiting_jobs() == [job]
    assert (store.job(job).priority, store.job(job).how) == (4, {"workers": 9})


def test_a_driven_job_is_not_put_back(store: TrialStore, job: str, lease: Lease) -> None:
    with pytest.raises(InputError, match=f"is driven by driver: pause it .*pause {job}"):
        store.queue_job(job, 0, {})


def test_a_job_given_back_to_the_queue_waits(
    store: TrialStore, queued: Callable[[int], str]
) -> None:
    job = queued(0)
    lease = store.claim(job, "a", 60.0)
    assert lease is not None
    store.release(lease, "queued")
    assert store.waiting_jobs() == [job]
    assert states(store, job) == ["running", "queued"]
