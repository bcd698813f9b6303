"""Scores and artifacts that jobs share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autoprune.errors import StorageError
from autoprune.trials.records import Lease, NewTrial, TrialResult
from autoprune.trials.store import TrialStore


def test_a_finished_trial_leaves_its_score_for_any_job(
    store: TrialStore, lease: Lease, trial: Callable[[int], NewTrial], result: TrialResult
) -> None:
    store.commit(lease, asked=[trial(0)])
    assert store.evaluation("key 0") is None
    store.finish_trial(lease, 0, result)
    assert store.evaluation("key 0") == result


def test_the_first_score_of_a_key_stays(store: TrialStore, result: TrialResult) -> None:
    store.save_evaluation("k", result)
    store.save_evaluation("k", replace(result, score=9.0, weights="c" * 64))
    assert store.evaluation("k") == result


def test_weights_are_added_to_a_score_that_came_without(
    store: TrialStore, result: TrialResult
) -> None:
    store.save_evaluation("k", result)
    store.save_evaluation("k", replace(result, weights="c" * 64, seconds=9.0))
    assert store.evaluation("k") == replace(result, weights="c" * 64)
    store.save_evaluation("k", result)
    assert store.evaluation("k") == replace(result, weights="c" * 64), "and stay"


def test_a_failure_is_no_score_to_reuse(store: TrialStore, result: TrialResult) -> None:
    store.save_evaluation("k", TrialResult(None, None, None, 1.0, "out of memory"))
    assert store.evaluation("k") is None
    store.save_evaluation("k", result)
    assert store.evaluation("k") == result


def test_a_reused_score_is_marked_in_the_trial_alone(
    store: TrialStore,
    job: str,
    lease: Lease,
    trial: Callable[[int], NewTrial],
    result: TrialResult,
) -> None:
    store.save_evaluation("key 0", result)
    store.commit(lease, asked=[trial(0)])
    reused = replace(result, seconds=0.0, reused=True)
    store.finish_trial(lease, 0, reused)
    assert store.trials(job)[0].result == reused
    assert store.evaluation("key 0") == result


def test_an_artifact_comes_back_until_it_is_deleted(store: TrialStore) -> None:
    name = store.put_artifact(b"weights", "weights")
    assert store.put_artifact(b"weights", "weights") == name
    assert store.has_artifact(name)
    assert store.get_artifact(name) == b"weights"
    store.delete_artifact(name)
    store.delete_artifact(name)
    assert not store.has_artifact(name)
    with pytest.raises(StorageError, match=name):
        store.get_artifact(name)
    assert store.put_artifact(b"weights", "weights") == name
    assert store.get_artifact(name) == b"weights", "it can be made again"


def test_a_lost_artifact_is_not_there(store: TrialStore, tmp_path: Path) -> None:
    name = store.put_artifact(b"weights", "weights")
    (tmp_path / "artifacts" / name).unlink()
    assert not store.has_artifact(name)
