"""Who may write: leases, their expiry, and the epoch that fences off an old driver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autoprune.errors import LeaseLostError, UnknownJobError
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.records import Checkpoint, FinalistRecord, Lease, NewTrial, TrialResult
from autoprune.trials.store import TrialStore

MakeTrial = Callable[[int], NewTrial]


def test_every_acquisition_raises_the_epoch(store: TrialStore, job: str) -> None:
    first = store.acquire(job, "a", 60.0)
    store.release(first)
    second = store.acquire(job, "b", 60.0)
    assert (first.epoch, second.epoch) == (1, 2)
    assert store.job(job).epoch == 2


def test_a_held_job_says_who_holds_it_and_until_when(store: TrialStore, job: str) -> None:
    store.acquire(job, "host/1", 60.0)
    with pytest.raises(LeaseLostError, match=rf"{job} is held by host/1 until 20\d\d-.*\+00:00"):
        store.acquire(job, "host/2", 60.0)
    assert store.holder(job) == "host/1"


def test_an_expired_lease_is_free_to_take(store: TrialStore, job: str) -> None:
    store.acquire(job, "a", 0.05)
    time.sleep(0.1)
    assert store.holder(job) is None
    assert store.acquire(job, "b", 60.0).epoch == 2


def test_renewing_keeps_others_out(store: TrialStore, job: str) -> None:
    lease = store.acquire(job, "a", 0.05)
    store.renew(lease, 60.0)
    time.sleep(0.1)
    with pytest.raises(LeaseLostError):
        store.acquire(job, "b", 60.0)


def test_an_expired_lease_nobody_took_goes_on(store: TrialStore, job: str) -> None:
    lease = store.acquire(job, "a", 0.0)
    store.commit(lease, events=[("late", {})])
    store.renew(lease, 60.0)
    assert store.holder(job) == "a"


def test_a_job_is_stolen_from_the_driver_known_to_be_gone_and_from_no_other(
    store: TrialStore, job: str
) -> None:
    store.acquire(job, "dead", 60.0)
    store.acquire(job, "first", 60.0, steal_from="dead")
    with pytest.raises(LeaseLostError, match="held by first"):
        store.acquire(job, "second", 60.0, steal_from="dead")
    assert store.acquire(job, "third", 60.0, steal=True).epoch == 3


def test_unknown_jobs_have_no_lease(store: TrialStore) -> None:
    with pytest.raises(UnknownJobError):
        store.acquire("nope", "a", 60.0)
    with pytest.raises(UnknownJobError):
        store.holder("nope")
    with pytest.raises(UnknownJobError):
        store.commit(Lease("nope", "a", 1))


def test_the_state_follows_the_lease(store: TrialStore, job: str) -> None:
    lease = store.acquire(job, "a", 60.0)
    assert store.job(job).state == "running"
    store.release(lease)
    assert store.job(job).state == "paused"
    lease = store.acquire(job, "a", 60.0)
    store.commit(lease, state="failed", error="no disk")
    store.release(lease)
    assert (store.job(job).state, store.job(job).error) == ("failed", "no disk")
    lease = store.acquire(job, "a", 60.0)
    assert (store.job(job).state, store.job(job).error) == ("running", None)
    store.commit(lease, state="finished")
    store.release(lease)
    store.acquire(job, "a", 60.0)
    assert store.job(job).state == "finished"


@pytest.fixture
def old_and_new(
    store: TrialStore, job: str, trial: MakeTrial, result: TrialResult
) -> tuple[Lease, Lease]:
    """A lease that was taken over, and the one that took it; trial 0 is finished, 1 is not."""
    old = store.acquire(job, "old", 60.0)
    store.commit(old, asked=[trial(0), trial(1)])
    store.finish_trial(old, 0, result)
    store.save_finalists(old, [FinalistRecord(0, "race", 0, (8,), {}, "race key", None)])
    return old, store.acquire(job, "new", 60.0, steal=True)


OLD_WRITES: dict[str, Callable[[TrialStore, Lease, MakeTrial, TrialResult], None]] = {
    "tell": lambda s, lease, _t, _r: s.commit(lease, told=[0]),
    "ask": lambda s, lease, t, _r: s.commit(lease, asked=[t(2)]),
    "checkpoint": lambda s, lease, _t, _r: s.commit(lease, checkpoint=Checkpoint(1, "h", {}, b"")),
    "events": lambda s, lease, _t, _r: s.commit(lease, events=[("e", {})]),
    "stage": lambda s, lease, _t, _r: s.commit(lease, stage="race", state="failed", error="e"),
    "results": lambda s, lease, _t, _r: s.commit(lease, results={"a": 1}, timing_dependent=True),
    "nothing": lambda s, lease, _t, _r: s.commit(lease),
    "finish": lambda s, lease, _t, r: s.finish_trial(lease, 1, r),
    "finalists": lambda s, lease, _t, r: s.save_finalists(
        lease, [FinalistRecord(1, "race", 0, (8,), {}, "k", r)]
    ),
    "score": lambda s, lease, _t, r: s.finish_finalist(lease, 0, r),
    "measure": lambda s, lease, _t, _r: s.measure_finalist(lease, 0, {"ratio": 1}),
    "renew": lambda s, lease, _t, _r: s.renew(lease, 60.0),
}


@pytest.mark.parametrize("write", OLD_WRITES)
def test_a_driver_that_lost_its_lease_writes_nothing(
    store: TrialStore,
    job: str,
    old_and_new: tuple[Lease, Lease],
    trial: MakeTrial,
    result: TrialResult,
    write: str,
) -> None:
    def everything() -> tuple[object, ...]:
        return (
            store.job(job),
            store.trials(job),
            store.events(job),
            store.checkpoint(job),
            store.finalists(job),
            [store.evaluation(key) for key in ("key 1", "race key", "k")],
            store.holder(job),
        )

    before = everything()
    with pytest.raises(LeaseLostError, match=r"new holds it now \(epoch 2, this driver's was 1\)"):
        OLD_WRITES[write](store, old_and_new[0], trial, result)
    assert everything() == before
    OLD_WRITES[write](store, old_and_new[1], trial, result)
    assert everything() != before or write in ("nothing", "renew")


def test_a_released_lease_writes_nothing_and_is_released_quietly(
    store: TrialStore, job: str, old_and_new: tuple[Lease, Lease]
) -> None:
    old, new = old_and_new
    store.release(old)
    assert store.holder(job) == "new", "releasing a lost lease leaves the new one alone"
    store.release(new)
    with pytest.raises(LeaseLostError, match="nobody holds it now"):
        store.commit(new, events=[("e", {})])


def test_of_drivers_that_acquire_at_the_same_instant_one_wins(
    store: TrialStore, url: str, new_job: Callable[[], str], tmp_path: Path
) -> None:
    stores = [TrialStore(connect(url), ArtifactFolder(tmp_path)) for _ in range(6)]
    for _ in range(5):
        job = new_job()
        outcomes = _acquire_together(stores, job)
        won = [lease for lease in outcomes if isinstance(lease, Lease)]
        assert len(won) == 1
        assert all(isinstance(o, (Lease, LeaseLostError)) for o in outcomes)
        assert len(outcomes) == len(stores)
        assert store.holder(job) == won[0].owner
        assert store.job(job).epoch == 1


def _acquire_together(stores: list[TrialStore], job: str) -> list[Lease | Exception]:
    barrier = threading.Barrier(len(stores))
    outcomes: list[Lease | Exception] = []

    def acquire(n: int) -> None:
        barrier.wait()
        try:
            outcomes.append(stores[n].acquire(job, f"driver {n}", 60.0))
        except Exception as error:  # judged by the test
            outcomes.append(error)

    threads = [threading.Thread(target=acquire, args=(n,)) for n in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
