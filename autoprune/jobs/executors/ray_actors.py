"""Evaluations in Ray actors: they hold model and data; only the driver touches the database."""

from __future__ import annotations

import os
import sys
from collections import deque
from typing import Any

from autoprune.errors import AutopruneError, InputError
from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult, Evaluator
from autoprune.jobs.executors.port import Completed, Recipe


class EvaluatorActor:
    """The actor's class: one evaluator, made where the actor lives."""

    def __init__(self, recipe: Recipe) -> None:
        self._evaluator: Evaluator = recipe()

    def ready(self) -> bool:
        """Answers once the evaluator is made."""
        return True

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        """Score one schedule."""
        return self._evaluator.evaluate(request)


class RayExecutor:
    """Keeps ``workers`` actors; an actor that is lost is replaced and its ticket comes back empty.

    Args:
        recipe: makes the evaluator inside the actor.
        workers: actors; each asks Ray for ``threads`` CPUs.
        address: of a running cluster, or None for a Ray started here.
        threads: training threads of one actor.
    """

    def __init__(
        self, recipe: Recipe, workers: int, *, address: str | None = None, threads: int = 1
    ) -> None:
        self._ray = _import_ray()
        self._make, self._count, self._address, self._threads = recipe, workers, address, threads
        self._started_ray = False
        self._queue: deque[tuple[str, EvaluationRequest]] = deque()
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[str, Any]] = {}

    def submit(self, ticket: str, request: EvaluationRequest) -> None:
        """Queue one evaluation; it starts at once when an actor is free."""
        if not self._idle and not self._running:
            self._start()
        self._queue.append((ticket, request))
        self._feed()

    def wait(self, timeout_s: float) -> list[Completed]:
        """Answers that have come within ``timeout_s``."""
        if not self._running:
            return []
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout_s)
        completed = [self._collect(reference) for reference in ready]
        self._feed()
        return completed

    def close(self) -> None:
        """Kill the actors, and the Ray that was started here."""
        self._queue.clear()
        for actor in [*self._idle, *(actor for _, actor in self._running.values())]:
            self._ray.kill(actor)
        self._idle.clear()
        self._running.clear()
        if self._started_ray:
            self._ray.shutdown()
            self._started_ray = False

    def _start(self) -> None:
        if not self._ray.is_initialized():
            cluster: dict[str, Any] = {
                "num_cpus": self._count * self._threads,
                # Actors import the user's model and data from where the driver does.
                "runtime_env": {
                    "env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
                },
            }
            if self._address:
                cluster = {"address": self._address}
            self._ray.init(
                include_dashboard=False, configure_logging=False, log_to_driver=False, **cluster
            )
            self._started_ray = True
        self._recipe = self._ray.put(self._make)
        self._actor_class = self._ray.remote(num_cpus=self._threads)(EvaluatorActor)
        self._idle = [self._actor_class.remote(self._recipe) for _ in range(self._count)]
        try:
            self._ray.get([actor.ready.remote() for actor in self._idle])
        except self._ray.exceptions.RayActorError as error:
            raise AutopruneError(f"a Ray actor could not start: {error}") from error

    def _collect(self, reference: Any) -> Completed:
        ticket, actor = self._running.pop(reference)
        try:
            result = self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            self._idle.append(self._actor_class.remote(self._recipe))
            return Completed(ticket, None)
        self._idle.append(actor)
        return Completed(ticket, result)

    def _feed(self) -> None:
        while self._queue and self._idle:
            ticket, request = self._queue.popleft()
            actor = self._idle.pop()
            self._running[actor.evaluate.remote(request)] = (ticket, actor)


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise InputError(
            "the ray executor needs Ray, which is an extra: pip install 'autoprune[ray]'"
        ) from error
    return ray
