"""Pages of jobs, how far one is, and jobs that a request makes once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from autoprune.errors import RepeatedRequestError, UnknownJobError
from autoprune.trials.records import JobProgress, Lease, NewTrial, Request, TrialResult
from autoprune.trials.store import TrialStore

MakeTrial = Callable[[int], NewTrial]


def create(store: TrialStore, request: Request | None = None) -> str:
    spec = {"model": "m", "weights": None, "data": "d"}
    return store.create_job(
        {"searcher": "legr", "trials": 9},
        "h",
        {"budget": ["50%", "macs=1M"], "spec": spec},
        "env",
        {},
        request=request,
    )


def test_pages_go_through_all_jobs_newest_first(store: TrialStore) -> None:
    made = [create(store) for _ in range(7)]
    found, place = [], None
    while page := store.job_page(3, place):
        found += page
        place = (page[-1].created, page[-1].id)
    assert [job.id for job in found] == made[::-1]
    assert (found[0].searcher, found[0].trials, found[0].budget) == ("legr", 9, ("50%", "macs=1M"))
    assert (found[0].model, found[0].weights, found[0].data) == ("m", None, "d")


def test_pages_of_one_state_hold_no_other(store: TrialStore) -> None:
    made = [create(store) for _ in range(3)]
    store.request_state(made[1], "paused")
    assert [job.id for job in store.job_page(9, state="paused")] == [made[1]]
    assert (store.count_jobs("queued"), store.count_jobs("paused")) == (2, 1)


def test_a_position_changes_with_everything_that_happens_to_a_job(
    store: TrialStore, job: str, lease: Lease, trial: MakeTrial, result: TrialResult
) -> None:
    steps: list[Callable[[], object]] = [
        lambda: store.commit(lease, asked=[trial(0), trial(1)]),
        lambda: store.finish_trial(lease, 1, result),
        lambda: store.finish_trial(lease, 0, TrialResult(None, None, None, 0.1, "NaN")),
        lambda: store.commit(lease, told=[0]),
        lambda: store.commit(lease, events=[("note", {})]),
        lambda: store.commit(lease, stage="race"),
        lambda: store.request_state(job, "paused"),
        lambda: store.commit(lease, state="failed"),
    ]
    seen = [store.position(job)]
    for step in steps:
        step()
        seen.append(store.position(job))
    assert len(set(seen)) == len(seen)
    assert seen[4].trials == (2, 2, 1)
    with pytest.raises(UnknownJobError):
        store.position("nope")


def test_progress_counts_told_trials_and_compares_candidates_alone(
    store: TrialStore, job: str, lease: Lease, trial: MakeTrial, result: TrialResult
) -> None:
    """Probes count nowhere, failures have no score, and what is not told yet may still change."""
    probe = dataclasses.replace(trial(4), purpose="probe")
    step = dataclasses.replace(trial(5), purpose="step")
    store.commit(lease, asked=[*map(trial, range(4)), probe, step, trial(6)])
    for index, score in enumerate([0.3, 0.2, None, 0.7, 0.01, 0.02, 0.03]):
        store.finish_trial(lease, index, dataclasses.replace(result, score=score))
    store.commit(lease, told=[0, 1, 2, 3, 4, 5])
    assert store.progress([job, "nope"]) == {job: JobProgress(told=5, lowest=0.2, highest=0.7)}
    assert (store.told(job), store.told("nope")) == (5, 0)


def test_the_ends_of_several_jobs_events_are_read_at_once(
    store: TrialStore, new_job: Callable[[], str]
) -> None:
    quiet, busy = new_job(), new_job()
    lease = store.acquire(busy, "driver", 60.0)
    store.commit(lease, events=[("told", {"trial": 0})])
    ends = store.ends_of_events([quiet, busy, "nope"])
    assert ends == {quiet: (0, "queued"), busy: (len(store.events(busy)), "running")}


def test_a_request_makes_one_job_and_leaves_nothing_of_a_second(store: TrialStore) -> None:
    request = Request("ci", "key 1", "a" * 64)
    job = create(store, request)
    assert store.requested("ci", "key 1") == (request, job)
    assert store.requested("ci", "key 2") is None
    assert store.requested("page", "key 1") is None, "keys of others are others"
    with pytest.raises(RepeatedRequestError):
        create(store, Request("ci", "key 1", "b" * 64))
    assert [found.id for found in store.jobs()] == [job]
    assert create(store, Request("page", "key 1", "a" * 64)) != job


OF_A_NEWER_VERSION: dict[str, dict[str, Any]] = {
    "trials": {"what": {"trials": {"most": 9}}},
    "searcher": {"what": {"searcher": {"name": "legr"}}},
    "metric": {"what": {"metric": "loss"}},
    "many trials": {"what": {"trials": 10**30}},
    "large score": {"base": {"score": 1e300}},
    "score": {"base": {"score": "0.5 to 0.6"}},
    "no budget": {"how": {"budget": None}},
    "budgets": {"how": {"budget": [{"latency": 0.5}, "macs=1M"]}},
    "model": {"how": {"spec": {"model": {"hub": "m"}, "weights": None, "data": "d"}}},
    "no spec": {"how": {"spec": None}},
}


def test_a_job_with_values_of_a_newer_version_hides_no_other(store: TrialStore) -> None:
    what = {"searcher": "legr", "trials": 9, "metric": {"name": "loss", "direction": "minimize"}}
    how = {"budget": ["50%"], "spec": {"model": "m", "weights": None, "data": "d"}}
    base = {"score": 0.1 + 0.2}
    for odd in ({}, *OF_A_NEWER_VERSION.values()):
        documents = ({**what, **odd.get("what", {})}, "h", {**how, **odd.get("how", {})})
        store.create_job(*documents, "env", {**base, **odd.get("base", {})})
    plain, *found = store.job_page(50)[::-1]
    lines = dict(zip(OF_A_NEWER_VERSION, found, strict=True))
    assert (plain.trials, plain.base_score, plain.direction) == (9, 0.1 + 0.2, "minimize")
    assert lines["trials"].trials is None
    assert lines["many trials"].trials is None
    assert lines["large score"].base_score is None
    assert lines["searcher"].searcher is not None
    assert lines["metric"].direction is None
    assert lines["score"].base_score is None
    assert lines["no budget"].budget == ()
    assert lines["budgets"].budget == ('{"latency": 0.5}', "macs=1M")
    assert lines["no spec"].model is None
    assert all(line.created for line in found)
