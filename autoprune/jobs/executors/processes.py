"""Evaluations in worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import pickle
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Literal

from autoprune.errors import AutopruneError, InputError
from autoprune.evaluation.contract import EvaluationRequest
from autoprune.jobs.executors.port import Completed, Recipe
from autoprune.jobs.executors.worker import StartFailure, preloaded, serve

StartMethod = Literal["forkserver", "fork"]


_PRELOADED = preloaded("autoprune.jobs.executors.worker", "autoprune.evaluation.recipe")


@dataclass
class _Worker:
    process: Any
    requests: Connection
    lifeline: Connection
    ticket: str | None = None


class ProcessExecutor:
    """Keeps ``workers`` processes, each with its own evaluator; replaces those that die.

    Processes come from a fork server that has imported torch once: forking the driver itself
    after it has trained would leave torch's threads behind. ``fork`` is for evaluators without
    torch.
    """

    def __init__(
        self, recipe: Recipe, workers: int, *, start_method: StartMethod = "forkserver"
    ) -> None:
        try:
            self._recipe = pickle.dumps(recipe)
        except Exception as error:
            raise InputError(
                f"the model, data or task cannot be sent to worker processes ({error}): define the "
                "model and the task's functions in a module, or search with workers=1"
            ) from error
        self._context: multiprocessing.context.BaseContext = multiprocessing.get_context(
            start_method
        )
        if start_method == "forkserver":
            self._context.set_forkserver_preload(_PRELOADED)
        self._forks = start_method == "fork"
        self._queue: deque[tuple[str, EvaluationRequest]] = deque()
        self._count = workers
        self._workers: list[_Worker] = []

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid for worker in self._workers]

    def submit(self, ticket: str, request: EvaluationRequest) -> None:
        """Queue one evaluation; it starts at once when a worker is free."""
        while len(self._workers) < self._count:
            self._workers.append(self._start())
        self._queue.append((ticket, request))
        self._feed()

    def wait(self, timeout_s: float) -> list[Completed]:
        """Answers that have come within ``timeout_s``; a dead worker's ticket comes without one."""
        self._feed()
        busy = [worker for worker in self._workers if worker.ticket is not None]
        if not busy:
            return []
        ready = set(wait([worker.requests for worker in busy], timeout_s))
        completed = [self._collect(worker) for worker in busy if worker.requests in ready]
        self._feed()
        return completed

    def close(self) -> None:
        """Kill the workers; what they were doing is abandoned. A later submit starts new ones."""
        self._queue.clear()
        for worker in self._workers:
            self._stop(worker)
        self._workers.clear()

    def _collect(self, worker: _Worker) -> Completed:
        ticket = worker.ticket or ""
        worker.ticket = None
        try:
            answer = worker.requests.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return Completed(ticket, None)
        if isinstance(answer, StartFailure):
            raise AutopruneError(f"a worker process could not start: {answer.error}")
        return Completed(ticket, answer)

    def _feed(self) -> None:
        for worker in list(self._workers):
            if not self._queue:
                return
            if worker.ticket is None:
                self._send(worker)

    def _send(self, worker: _Worker) -> None:
        ticket, request = self._queue[0]
        try:
            worker.requests.send(request)
        except OSError:
            self._replace(worker)
            return
        self._queue.popleft()
        worker.ticket = ticket

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        alive, lifeline = self._context.Pipe(duplex=False)
        inherited = [ours, lifeline, *self._our_ends()] if self._forks else []
        process = self._context.Process(  # type: ignore[attr-defined]
            target=serve, args=(self._recipe, theirs, alive, inherited), daemon=True
        )
        try:
            process.start()
        except OSError as error:  # the fork server is gone or cannot import the program
            raise AutopruneError(
                f"a worker process could not start ({error}): see the traceback above, or search "
                "with workers=1"
            ) from error
        theirs.close()
        alive.close()
        return _Worker(process, ours, lifeline)

    def _our_ends(self) -> list[Connection]:
        return [
            end
            for worker in self._workers
            for end in (worker.requests, worker.lifeline)
            if not end.closed
        ]

    def _replace(self, worker: _Worker) -> None:
        self._stop(worker)
        self._workers[self._workers.index(worker)] = self._start()

    def _stop(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.requests.close()
        worker.lifeline.close()
