from __future__ import annotations

import multiprocessing
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from latency_tables import MeasuringBusyError, measuring_lock

CLEAN = multiprocessing.get_context("forkserver")  # a fork would copy locks of other threads


def hold(path: Path, held: Event, release: Event) -> None:
    with measuring_lock(path=path):
        held.set()
        release.wait(20)


def test_a_second_process_waits_until_the_first_is_done(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held, release = CLEAN.Event(), CLEAN.Event()
    other = CLEAN.Process(target=hold, args=(path, held, release))
    other.start()
    assert held.wait(20)
    with (
        pytest.raises(MeasuringBusyError, match="another measurement"),
        measuring_lock(timeout_s=0.2, path=path),
    ):
        pytest.fail("both hold the lock")
    waited: list[float] = []
    release.set()
    with measuring_lock(timeout_s=20, on_wait=lambda: waited.append(time.time()), path=path):
        assert len(waited) <= 1
    other.join(20)
    assert other.exitcode == 0


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held, release = CLEAN.Event(), CLEAN.Event()
    other = CLEAN.Process(target=hold, args=(path, held, release))
    other.start()
    assert held.wait(20)
    other.kill()
    other.join(20)
    with measuring_lock(timeout_s=5, path=path):
        pass


def test_waiting_is_announced_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    said: list[str] = []
    with (
        measuring_lock(path=path),
        pytest.raises(MeasuringBusyError),
        measuring_lock(timeout_s=0.3, on_wait=lambda: said.append("wait"), path=path),
    ):
        pytest.fail("both hold the lock")
    assert said == ["wait"]


def test_a_free_lock_is_taken_at_once_and_can_be_taken_again(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with measuring_lock(0, lambda: said.append("wait"), tmp_path / "lock"):
            pass
    assert said == []
    (tmp_path / "lock").chmod(0o444)
    with measuring_lock(0, path=tmp_path / "lock"):
        pass


def test_a_child_forked_meanwhile_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    fork = multiprocessing.get_context("fork")
    release = fork.Event()
    with measuring_lock(path=path):
        child = fork.Process(target=release.wait, args=(20,))
        child.start()
    with measuring_lock(timeout_s=0, path=path):
        release.set()
    child.join(20)
    assert child.exitcode == 0
