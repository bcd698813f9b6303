"""What a job tells is read off its database by queries, and is what its trials say."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import cheap_job
import pytest

from autoprune.jobs.keys import hash_of, job_digest
from autoprune.jobs.summary import summarise_job
from autoprune.trials.records import FinalistRecord, NewTrial, TrialResult
from autoprune.trials.store import TrialStore

PURPOSES = ("candidate", "candidate", "candidate", "candidate", "step", "probe", "candidate")
SCORES = (0.5, None, 0.25, 0.25, 0.125, 0.0625, 9.0)
"""The second trial failed; the last one waits to be told."""


def filled(folder: Path, url: str | None, direction: str) -> tuple[TrialStore, str]:
    store = cheap_job.open_store(folder, url)
    job = cheap_job.create(store, "random", 20, direction=direction)
    groups = len(store.job(job).what["groups"])
    asked = [
        NewTrial(index, purpose, (index + 1,) * groups, 0 if index == 4 else None, {}, f"k{index}")
        for index, purpose in enumerate(PURPOSES)
    ]
    lease = store.acquire(job, "driver", 60.0)
    store.commit(lease, asked=asked)
    for index, score in enumerate(SCORES):
        error = f"not today, {index}" if score is None else None
        store.finish_trial(lease, index, TrialResult(score, score, score, 1.5, error))
    store.commit(lease, told=range(6))
    return store, job


@pytest.mark.parametrize(("direction", "best"), [("minimize", 2), ("maximize", 6)])
def test_a_summary_is_what_the_trials_say(
    tmp_path: Path, url: str | None, direction: str, best: int
) -> None:
    """Of equal scores the first counts; a probe or a step is never the best candidate."""
    store, job = filled(tmp_path, url, direction)
    shown = summarise_job(store, job)
    assert (shown["trials"], shown["trials_told"]) == (6, 5)
    assert shown["probes"] == {"count": 1, "seconds": 1.5}
    assert (shown["best"]["trial"], shown["best"]["score"]) == (best, SCORES[best])
    assert store.first_error(job) == "not today, 1"


def test_a_job_without_trials_has_no_best(tmp_path: Path, url: str | None) -> None:
    store = cheap_job.open_store(tmp_path, url)
    job = cheap_job.create(store, "random", 20)
    shown = summarise_job(store, job)
    assert (shown["trials"], shown["trials_told"], shown["best"]) == (0, 0, None)
    assert shown["probes"] == {"count": 0, "seconds": 0.0}
    assert store.first_error(job) is None


def test_the_digest_is_the_hash_of_what_it_says_it_is(tmp_path: Path, url: str | None) -> None:
    store, job = filled(tmp_path, url, "minimize")
    told = [trial for trial in store.trials(job) if trial.state == "told"]
    scores = [t.result.score if t.result else None for t in told]
    lines = [
        [t.index, t.purpose, list(t.widths), t.start_from, None if s is None else s.hex()]
        for t, s in zip(told, scores, strict=True)
    ]
    result = TrialResult(0.5, 0.5, 0.5, 1.0)
    finalist = FinalistRecord(0, "race", 2, told[2].widths, {}, "key", result)
    ranked = [["race", 2, list(finalist.widths), (0.5).hex()]]
    for ranking, said in (([], []), ([finalist], ranked)):
        with patch("autoprune.trials.reading_store.LINES", 4):
            found = job_digest("what", store.first_lines(job, len(told)), ranking)
        assert found == hash_of({"what": "what", "trials": lines, "finalists": said})


def test_a_few_trials_are_read_by_their_indices(tmp_path: Path, url: str | None) -> None:
    store, job = filled(tmp_path, url, "minimize")
    trials = store.trials(job)
    assert store.trials_at(job, {1, 4, 99}) == {1: trials[1], 4: trials[4]}
    assert store.trials_at(job, set()) == {}
