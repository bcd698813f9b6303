"""A disk that fills up: a message that says what to do, and a job that goes on afterwards."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_program import FinishedJob, Said, expect_done

from autoprune.trials.store import TrialStore

Program = Callable[..., Said]
Tiny = tuple[str, ...]


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Inside, a file that grows past ``size`` bytes fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def full(*_args: Any, **_more: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def the_job(program: Program) -> str:
    (row,) = program("jobs", "--json").json
    return str(row["job"])


def expect_resumed(program: Program, finished: FinishedJob) -> None:
    shown = expect_done(program("resume", the_job(program), "--json")).json
    assert shown["state"] == "finished"
    assert shown["digest"] == finished.shown["digest"]


def search(program: Program, tiny: Tiny) -> Said:
    return program("search", *tiny, "--budget", "65%")


def test_a_database_that_cannot_grow_stops_the_job(
    program: Program, tiny: Tiny, finished: FinishedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = TrialStore.finish_trial

    def finish_on_a_full_disk(self: TrialStore, lease: Any, index: int, result: Any) -> None:
        if index < 2:
            finish(self, lease, index, result)
        else:
            with files_up_to(4096):
                finish(self, lease, index, result)

    with monkeypatch.context() as patched:
        patched.setattr(TrialStore, "finish_trial", finish_on_a_full_disk)
        said = search(program, tiny)
    assert said.code == 1
    assert "could not be written" in said.err
    assert "free space on its disk, then resume the job" in said.err
    expect_resumed(program, finished)


def test_a_database_that_stays_full_says_so_too(
    program: Program, tiny: Tiny, finished: FinishedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = TrialStore.finish_trial
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def finish_from_now_on(self: TrialStore, lease: Any, index: int, result: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        finish(self, lease, index, result)

    with monkeypatch.context() as patched:
        patched.setattr(TrialStore, "finish_trial", finish_from_now_on)
        try:
            said = search(program, tiny)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said.code == 1
    assert "free space on its disk, then resume the job" in said.err
    assert "Traceback" not in said.err
    monkeypatch.setattr("autoprune.jobs.lease.owner_is_gone", lambda _owner: True)  # it has ended
    expect_resumed(program, finished)


def test_artifacts_that_find_no_room_stop_the_job(
    program: Program, tiny: Tiny, finished: FinishedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = TrialStore.put_artifact

    def put_in_a_full_folder(self: TrialStore, content: bytes, kind: str) -> str:
        if kind == "base weights":
            return put(self, content, kind)
        with files_up_to(1000):
            return put(self, content, kind)

    with monkeypatch.context() as patched:
        patched.setattr(TrialStore, "put_artifact", put_in_a_full_folder)
        said = search(program, tiny)
    assert said.code == 1
    assert "artifact folder" in said.err
    assert "free space there, then resume the job" in said.err
    expect_resumed(program, finished)


def test_a_bundle_that_finds_no_room_is_written_by_a_resume(
    program: Program,
    tiny: Tiny,
    finished: FinishedJob,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("autoprune.export.files.write_durably", full)
        said = search(program, tiny)
    assert said.code == 1
    assert "No space left" in said.err
    bundle = tmp_path / "autoprune-out" / the_job(program)
    assert not bundle.exists()
    expect_resumed(program, finished)
    assert (bundle / "schedule.json").exists()


def test_no_room_for_the_first_weights_leaves_no_job(
    program: Program, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoprune.trials.artifacts._write_durably", full)
    said = search(program, tiny)
    assert said.code == 1
    assert "artifact folder" in said.err
    assert program("jobs", "--json").json == []
