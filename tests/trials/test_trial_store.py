"""Jobs, trials, events and checkpoints, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from autoprune.errors import AutopruneError, InputError, UnknownJobError
from autoprune.trials.column_types import json_text
from autoprune.trials.database import Database
from autoprune.trials.models import Job
from autoprune.trials.records import (
    Checkpoint,
    FinalistRecord,
    Lease,
    NewTrial,
    TrialLine,
    TrialResult,
)
from autoprune.trials.store import TrialStore

MakeTrial = Callable[[int], NewTrial]


def test_a_new_job_is_queued_and_keeps_what_it_was_given(store: TrialStore) -> None:
    what = {"groups": [{"name": "g", "choices": [1, 2]}], "budget": 0.1 + 0.2, "none": None}
    job = store.create_job(what, "b" * 64, {"db": "ü"}, "torch", {"score": None})
    record = store.job(job)
    assert (record.state, record.stage, record.epoch, record.results) == ("queued", "search", 0, {})
    assert (record.what, record.what_hash, record.how) == (what, "b" * 64, {"db": "ü"})
    assert (record.environment, record.base, record.error) == ("torch", {"score": None}, None)
    assert not record.timing_dependent
    assert record.created.endswith("+00:00")


def test_a_job_is_found_by_the_start_of_its_id(store: TrialStore, job: str) -> None:
    assert store.job(job[:5]).id == job
    assert store.job(job.upper()).id == job


@pytest.mark.parametrize("id", ["", "nope", "%", "_"])
def test_an_unknown_job_is_named(store: TrialStore, job: str, id: str) -> None:
    with pytest.raises(UnknownJobError, match="no job"):
        store.job(id)


def test_an_ambiguous_start_names_the_jobs(store: TrialStore, engine: Engine, job: str) -> None:
    with Database(engine).write() as session:
        row = session.get_one(Job, job)
        columns = {c.name: getattr(row, c.name) for c in Job.__table__.columns}
        session.add(Job(**{**columns, "id": job[:4] + "zzzz"}))
        session.add(Job(**{**columns, "id": job[:4]}))
    with pytest.raises(InputError, match=f"{job[:4]}.*{job}"):
        store.job(job[:3])
    assert store.job(job[:4]).id == job[:4], "a whole id is never ambiguous"


def test_jobs_are_listed_oldest_first(store: TrialStore, new_job: Callable[[], str]) -> None:
    ids = [new_job() for _ in range(5)]
    assert len(set(ids)) == 5
    assert [record.id for record in store.jobs()] == ids


def test_one_commit_holds_a_whole_step(
    store: TrialStore, job: str, lease: Lease, trial: MakeTrial, result: TrialResult
) -> None:
    store.commit(lease, asked=[trial(0), trial(1)], events=[("asked", {"n": 2})])
    store.finish_trial(lease, 0, result)
    store.commit(
        lease,
        told=[0],
        asked=[replace(trial(2), start_from=0, purpose="step")],
        checkpoint=Checkpoint(1, "digest", {"k": [1.5]}, b"\x00npz"),
        events=[("told", {"trial": 0}), ("note", {})],
        stage="race",
        state="paused",
        results={"chosen": {"slot": 1}},
        error="stopped",
        timing_dependent=True,
    )
    trials = store.trials(job)
    assert [t.state for t in trials] == ["told", "asked", "asked"]
    assert [t.result for t in trials] == [result, None, None]
    assert (trials[2].start_from, trials[2].purpose, trials[2].widths) == (0, "step", (8, 18))
    assert (trials[2].predicted, trials[2].evaluation_key) == ({"latency_s": 0.001}, "key 2")
    assert store.checkpoint(job) == Checkpoint(1, "digest", {"k": [1.5]}, b"\x00npz")
    assert [(e.sequence, e.kind, e.payload) for e in store.events(job)] == [
        (1, "state", {"state": "running", "driver": "driver"}),
        (2, "asked", {"n": 2}),
        (3, "told", {"trial": 0}),
        (4, "note", {}),
        (5, "state", {"state": "paused"}),
    ]
    record = store.job(job)
    assert (record.stage, record.state, record.error) == ("race", "paused", "stopped")
    assert record.timing_dependent
    assert record.results == {"chosen": {"slot": 1}}


def test_a_line_says_of_a_trial_what_its_history_needs(
    store: TrialStore, job: str, lease: Lease, trial: MakeTrial, result: TrialResult
) -> None:
    asked = [trial(0), replace(trial(1), start_from=0, purpose="step"), trial(2)]
    store.commit(lease, asked=asked)
    store.finish_trial(lease, 0, result)
    told = (result.score, result.accuracy, result.weights)
    assert store.trial_lines(job, 0, 10) == [
        TrialLine(0, "candidate", json_text(list(asked[0].widths)), None, *told),
        TrialLine(1, "step", json_text(list(asked[1].widths)), 0),
        TrialLine(2, "candidate", json_text(list(asked[2].widths)), None),
    ]
    assert [line.trial for line in store.trial_lines(job, 1, 1)] == [1]


def test_results_of_a_job_are_merged_and_marks_stay(
    store: TrialStore, job: str, lease: Lease
) -> None:
    store.commit(lease, results={"a": 1, "b": 1}, timing_dependent=True)
    store.commit(lease, results={"b": {"x": 2}})
    assert store.job(job).results == {"a": 1, "b": {"x": 2}}
    assert store.job(job).timing_dependent


def test_a_finished_result_waits_to_be_told(
    store: TrialStore, job: str, lease: Lease, trial: MakeTrial, result: TrialResult
) -> None:
    store.commit(lease, asked=[trial(i) for i in range(3)])
    failure = TrialResult(None, None, None, 0.5, "NaN \x00 loss \udcff")
    store.finish_trials(lease, {2: result, 1: failure})
    states = [(t.state, t.result is not None) for t in store.trials(job)]
    assert states == [("asked", False), ("finished", True), ("finished", True)]
    stored = store.trials(job)[1].result
    assert stored is not None
    assert stored.error == r"NaN \x00 loss \udcff", "what a database cannot hold is escaped"


def test_misuse_of_the_trial_order_is_refused_and_nothing_is_written(
    store: TrialStore, job: str, lease: Lease, trial: MakeTrial, result: TrialResult
) -> None:
    store.commit(lease, asked=[trial(0)])
    before = store.trials(job), store.events(job)
    for step in (
        lambda: store.commit(lease, told=[0], events=[("told", {})]),
        lambda: store.commit(lease, told=[7], events=[("told", {})]),
        lambda: store.commit(lease, asked=[trial(2)], events=[("asked", {})]),
        lambda: store.commit(lease, asked=[trial(0)]),
        lambda: store.finish_trials(lease, {0: result, 1: result}),
        lambda: store.finish_finalist(lease, 0, result),
        lambda: store.measure_finalist(lease, 0, {}),
    ):
        with pytest.raises(AutopruneError, match=f"job {job}"):
            step()
    assert (store.trials(job), store.events(job)) == before
    assert store.evaluation("key 0") is None


def test_a_trial_is_finished_once(
    store: TrialStore, job: str, lease: Lease, trial: MakeTrial, result: TrialResult
) -> None:
    store.commit(lease, asked=[trial(0)])
    store.finish_trial(lease, 0, result)
    with pytest.raises(AutopruneError, match="'finished', expected 'asked'"):
        store.finish_trial(lease, 0, replace(result, score=9.0))
    assert store.trials(job)[0].result == result


def test_trials_come_in_pages(store: TrialStore, job: str, lease: Lease, trial: MakeTrial) -> None:
    store.commit(lease, asked=[trial(i) for i in range(10)])
    assert [t.index for t in store.trials(job, start=3, limit=4)] == [3, 4, 5, 6]
    assert [t.index for t in store.trials(job, start=8)] == [8, 9]
    assert store.trials(job, limit=0) == []


def test_events_after_a_sequence_number(store: TrialStore, job: str, lease: Lease) -> None:
    for n in range(4):
        store.commit(lease, events=[("tick", {"n": n})])
    assert [event.payload["n"] for event in store.events(job, after=3)] == [2, 3]


def test_the_last_two_checkpoints_are_kept_and_a_damaged_one_is_passed_over(
    store: TrialStore, engine: Engine, job: str, lease: Lease
) -> None:
    for tells in (50, 100, 150):
        store.commit(lease, checkpoint=Checkpoint(tells, f"h{tells}", {"n": tells}, b"x" * tells))
    with Database(engine).read() as session:
        rows = session.execute(text("SELECT tells FROM checkpoints ORDER BY tells")).scalars().all()
    assert rows == [100, 150]
    with Database(engine).write() as session:
        session.execute(text("UPDATE checkpoints SET history = 'hX' WHERE tells = 150"))
    assert store.checkpoint(job) == Checkpoint(100, "h100", {"n": 100}, b"x" * 100)
    with Database(engine).write() as session:
        session.execute(text("UPDATE checkpoints SET state = '{'"))
    assert store.checkpoint(job) is None


def test_a_checkpoint_of_the_same_tells_replaces_the_one_before(
    store: TrialStore, job: str, lease: Lease
) -> None:
    store.commit(lease, checkpoint=Checkpoint(50, "a", {}, b"1"))
    store.commit(lease, checkpoint=Checkpoint(50, "b", {}, b"2"))
    assert store.checkpoint(job) == Checkpoint(50, "b", {}, b"2")


def test_finalists_are_scored_measured_and_replaced_by_slot(
    store: TrialStore, job: str, lease: Lease, trial: MakeTrial, result: TrialResult
) -> None:
    store.commit(lease, asked=[trial(0)])
    racer = FinalistRecord(0, "race", 0, (8, 16), {"latency_s": 1.0}, "race key", None)
    rung = FinalistRecord(1, "ladder 96%", 0, (8, 15), {}, "rung key", result, {"fits": True})
    store.save_finalists(lease, [rung])
    store.save_finalists(lease, [racer])
    assert store.finalists(job) == [racer, rung]
    assert store.evaluation("rung key") == result
    store.finish_finalist(lease, 0, result)
    store.measure_finalist(lease, 0, {"ratio": 0.5})
    assert store.finalists(job)[0] == replace(racer, result=result, measured={"ratio": 0.5})
    assert store.evaluation("race key") == result
    other = replace(racer, widths=(1, 1))
    store.save_finalists(lease, [other])
    assert store.finalists(job) == [other, rung], "the old slot's result went with it"


def test_jobs_do_not_mix(
    store: TrialStore, new_job: Callable[[], str], trial: MakeTrial, result: TrialResult
) -> None:
    first, second = new_job(), new_job()
    leases = [store.acquire(job, "driver", 60.0) for job in (first, second)]
    for lease in leases:
        store.commit(lease, asked=[trial(0)], events=[("asked", {})])
    store.finish_trial(leases[0], 0, result)
    store.commit(leases[0], checkpoint=Checkpoint(1, "h", {}, b""))
    assert store.trials(second)[0].state == "asked"
    assert store.checkpoint(second) is None
    assert [event.sequence for event in store.events(second)] == [1, 2]
