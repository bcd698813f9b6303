"""Every executor answers the same contract: in process, in worker processes, in Ray actors."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cheap_job import CheapEvaluator, CheapRecipe

from autoprune.errors import AutopruneError, InputError
from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult, Fidelity
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.executors.port import Completed, Executor
from autoprune.jobs.executors.processes import ProcessExecutor
from autoprune.jobs.executors.ray_actors import RayExecutor


def request_of(width: int) -> EvaluationRequest:
    return EvaluationRequest({"g": width}, Fidelity(steps=1))


def collect(executor: Executor, count: int, timeout_s: float = 60.0) -> list[Completed]:
    found: list[Completed] = []
    end = time.monotonic() + timeout_s
    while len(found) < count and time.monotonic() < end:
        found += executor.wait(1.0)
    return found


@pytest.fixture(scope="module")
def ray_executor() -> Iterator[RayExecutor]:
    executor = RayExecutor(CheapRecipe(0.0), 2)
    yield executor
    executor.close()


class ExecutorContract:
    """Subclasses give an executor of two workers (or one) over the cheap evaluator."""

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        raise NotImplementedError
        return

    def test_answers_every_ticket_with_its_own_result(self, executor: Executor) -> None:
        for width in range(1, 8):
            executor.submit(f"t{width}", request_of(width))
        answers = {done.ticket: done.result for done in collect(executor, 7)}
        for width in range(1, 8):
            expected = CheapEvaluator(0.0).evaluate(request_of(width))
            answer = answers[f"t{width}"]
            assert answer is not None
            assert answer.score == expected.score

    def test_weights_travel_both_ways(self, executor: Executor) -> None:
        request = EvaluationRequest({"g": 3}, Fidelity(steps=1), b"start", want_weights=True)
        executor.submit("t", request)
        (done,) = collect(executor, 1)
        assert done.result is not None
        assert done.result.weights == CheapEvaluator(0.0).evaluate(request).weights

    def test_waiting_for_nothing_returns_at_once(self, executor: Executor) -> None:
        started = time.monotonic()
        assert executor.wait(30.0) == []
        assert time.monotonic() - started < 5.0

    def test_goes_on_after_close(self, executor: Executor) -> None:
        executor.submit("a", request_of(2))
        collect(executor, 1)
        executor.close()
        executor.close()
        executor.submit("b", request_of(3))
        assert [done.ticket for done in collect(executor, 1)] == ["b"]


class TestInline(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        return InlineExecutor(CheapRecipe(0.0))


class TestProcesses(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        executor = ProcessExecutor(CheapRecipe(0.0), 2, start_method="fork")
        yield executor
        executor.close()

    def test_a_killed_worker_gives_its_ticket_back_and_is_replaced(self) -> None:
        executor = ProcessExecutor(CheapRecipe(0.3), 1, start_method="fork")
        executor.submit("a", request_of(2))
        time.sleep(0.1)
        os.kill(executor.pids[0], signal.SIGKILL)
        assert collect(executor, 1) == [Completed("a", None)]
        executor.submit("a", request_of(2))
        (again,) = collect(executor, 1)
        assert again.result is not None
        executor.close()

    def test_an_evaluator_that_cannot_be_made_stops_the_job_not_a_trial(self) -> None:
        executor = ProcessExecutor(BrokenRecipe(), 1, start_method="fork")
        executor.submit("a", request_of(2))
        with pytest.raises(AutopruneError, match="no such data set"):
            collect(executor, 1)
        executor.close()

    def test_what_cannot_be_sent_is_refused_with_the_remedy(self) -> None:
        with pytest.raises(InputError, match="workers=1"):
            ProcessExecutor(lambda: CheapEvaluator(), 2)

    def test_workers_end_with_a_killed_driver(self) -> None:
        executor = ProcessExecutor(CheapRecipe(0.0), 2)  # from the fork server, as in a search
        executor.submit("a", request_of(2))
        collect(executor, 1)
        pids = executor.pids
        for worker in executor._workers:  # what the kernel does when the driver is killed
            worker.lifeline.close()
        end = time.monotonic() + 10
        while any(alive(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.02)
        assert not any(alive(pid) for pid in pids)
        executor.close()


def kill_actor(ray: Any, actor: Any) -> None:
    """Returns once it is dead: killing does not wait, and it may answer a few more calls."""
    ray.kill(actor)
    try:
        while True:
            ray.get(actor.__ray_ready__.remote())
    except ray.exceptions.RayActorError:
        return


def work_until_all_are_there(executor: Any) -> None:
    """The first actor answers while the second one is still on its way."""
    deadline = time.monotonic() + 180
    executor.submit("first", request_of(2))
    while executor._arriving or executor._running:
        assert time.monotonic() < deadline, "an actor found no place"
        if not executor._running:
            executor.submit("again", request_of(2))
        executor.wait(1.0)


class TestRay(ExecutorContract):
    @pytest.fixture
    def executor(self, ray_executor: RayExecutor) -> Iterator[Executor]:
        return ray_executor

    def test_a_lost_actor_gives_its_ticket_back_and_is_replaced(self, executor: Any) -> None:
        work_until_all_are_there(executor)
        for actor in executor._idle:
            kill_actor(executor._ray, actor)
        executor.submit("a", request_of(5))
        executor.submit("b", request_of(6))
        assert all(done.result is None for done in collect(executor, 2))
        executor.submit("again", request_of(2))
        (again,) = collect(executor, 1)
        assert again.result is not None


class BrokenRecipe:
    """Fails where the evaluator is to be made."""

    def __call__(self) -> BrokenRecipe:
        raise FileNotFoundError("no such data set")

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        raise NotImplementedError


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[-1].split()[0] != "Z"
    except OSError:
        return False
