"""A finished job is finetuned again: another network, the same search."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from tiny_program import FinishedJob, Said, expect_done, run_program

from autoprune.evaluation import training
from autoprune.jobs import finetuning

Epoch = Callable[[int, bytes | None, float], None]


@pytest.fixture
def job(finished: FinishedJob, tmp_path: Path) -> FinishedJob:
    """The finished job, where it may be changed."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    return FinishedJob(tmp_path, finished.said)


def again(job: FinishedJob, *words: str) -> Said:
    return job.run("resume", job.job, "--out", "bundle", "--json", *words)


def weights_of(bundle: Path) -> str:
    return hashlib.sha256((bundle / "model.safetensors").read_bytes()).hexdigest()


def artifacts_of(job: FinishedJob) -> set[str]:
    return {path.name for path in (job.folder / "jobs.artifacts").rglob("*")}


def schedule_of(bundle: Path) -> dict[str, Any]:
    return dict(json.loads((bundle / "schedule.json").read_text(encoding="utf-8")))


def test_the_search_stays_and_the_bundle_is_another(job: FinishedJob) -> None:
    before, weights = job.shown, weights_of(job.bundle)
    after = expect_done(again(job, "--finetune-epochs", "3")).json
    assert (before["final"]["finetune_epochs"], after["final"]["finetune_epochs"]) == (1, 3)
    for key in ("digest", "trials", "best", "ranking", "state"):
        assert after[key] == before[key]
    assert weights_of(job.bundle) != weights
    schedule = schedule_of(job.bundle)
    assert schedule["accuracy"]["validation"] == after["final"]["accuracy"]["validation"]
    expect_done(job.run("export", job.job, "--out", "exported"))
    assert weights_of(job.folder / "exported") == weights_of(job.bundle)
    for bundle in (job.bundle, job.folder / "exported"):
        words = shlex.split(schedule_of(bundle)["provenance"]["command"])
        assert words[words.index("--finetune-epochs") + 1] == "3"
    assert expect_done(job.run("show", job.job, "--json")).json == after


def test_another_learning_rate_alone_is_enough(job: FinishedJob) -> None:
    before = weights_of(job.bundle)
    expect_done(again(job, "--finetune-learning-rate", "0.003"))
    assert weights_of(job.bundle) != before


@pytest.mark.parametrize("searcher", ["solver", "portfolio"])
def test_a_search_that_counted_on_the_finetune_before_is_still_the_same(
    searcher: str, tmp_path: Path, tiny: tuple[str, ...]
) -> None:
    words = (*tiny, "--budget", "65%", "--searcher", searcher, "--db", "jobs.db", "--out", "bundle")
    job = FinishedJob(tmp_path, run_program("search", *words, "--json", folder=tmp_path))
    after = expect_done(again(job, "--finetune-epochs", "9")).json
    assert after["digest"] == expect_done(job.said).json["digest"]
    assert after["final"]["finetune_epochs"] == 9


def test_what_was_done_so_before_is_not_done_again(
    job: FinishedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = expect_done(again(job, "--finetune-epochs", "2"))
    monkeypatch.setattr(finetuning, "train", None)
    assert expect_done(again(job, "--finetune-epochs", "2")).json == done.json
    assert expect_done(again(job)).json == done.json


def test_an_interrupted_one_goes_on_and_leaves_the_job_as_it_was_until_then(
    job: FinishedJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FinishedJob(tmp_path / "whole", job.said)
    shutil.copytree(job.folder, whole.folder, ignore=shutil.ignore_patterns("whole"))
    expect_done(again(whole, "--finetune-epochs", "3"))
    begun, bundle = [], weights_of(job.bundle)

    def interrupted(*given: Any, on_epoch: Epoch, **more: Any) -> None:
        def after_epoch(epoch: int, checkpoint: bytes | None, loss: float) -> None:
            begun.append(epoch)
            on_epoch(epoch, checkpoint, loss)
            if epoch == 2:
                raise KeyboardInterrupt

        training.train(*given, on_epoch=after_epoch, **more)

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "train", interrupted)
        said = again(job, "--finetune-epochs", "3", "--workers", "1")
    assert said.code == 130
    assert expect_done(job.run("show", job.job, "--json")).json == job.shown
    assert weights_of(job.bundle) == bundle
    words = shlex.split(said.err.rstrip().splitlines()[-1])[1:]
    assert words[:2] == ["resume", job.job]
    del words[words.index("--db") : words.index("--db") + 2]
    epochs = []

    def counted(*given: Any, on_epoch: Epoch, **more: Any) -> Any:
        def after_epoch(epoch: int, checkpoint: bytes | None, loss: float) -> None:
            epochs.append(epoch)
            on_epoch(epoch, checkpoint, loss)

        return training.train(*given, on_epoch=after_epoch, **more)

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "train", counted)
        expect_done(job.run(*words))
    assert (begun, epochs) == ([1, 2], [3])
    assert weights_of(job.bundle) == weights_of(whole.bundle)
    assert artifacts_of(job) == artifacts_of(whole)


def test_a_bundle_kept_for_the_service_is_renewed(job: FinishedJob) -> None:
    """As of a job that a worker ran."""
    with sqlite3.connect(job.db) as connection:
        results = "json_set(results, '$.bundle_archive', 'of before')"
        connection.execute(f"UPDATE jobs SET results = {results}")
    expect_done(again(job, "--finetune-epochs", "2"))
    with sqlite3.connect(job.db) as connection:
        (results,) = connection.execute("SELECT results FROM jobs").fetchone()
    name = json.loads(results)["bundle_archive"]
    (stored,) = (path for path in job.folder.rglob("*") if path.name.startswith(name))
    with ZipFile(BytesIO(stored.read_bytes())) as archive:
        kept = next(name for name in archive.namelist() if name.endswith("model.safetensors"))
        assert hashlib.sha256(archive.read(kept)).hexdigest() == weights_of(job.bundle)
