"""Evaluations in Ray actors: they hold model and data; only the driver touches the database."""

from __future__ import annotations

import os
import socket
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any

from autoprune.errors import AutopruneError, InputError
from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult, Evaluator
from autoprune.extras import install_command
from autoprune.jobs.executors.port import Completed, Recipe


@dataclass(frozen=True)
class Arrival:
    """What an actor says of itself once it is there.

    Args:
        node: name, address and id of the node it lives on.
        error: why its evaluator could not be made there; None when it was.
    """

    node: str
    error: str | None


class EvaluatorActor:
    """The actor's class: one evaluator, made where the actor lives."""

    def __init__(self, recipe: Recipe) -> None:
        self._evaluator: Evaluator | None = None
        self._error: str | None = None
        try:
            self._evaluator = recipe()
        except Exception as error:  # an actor that raises here would not say where it lived
            self._error = f"{type(error).__name__}: {error}"

    def arrive(self) -> Arrival:
        """Answers once the evaluator is made, or could not be."""
        ray = _import_ray()
        node = ray.get_runtime_context().get_node_id()[:8]
        where = f"{socket.gethostname()} ({ray.util.get_node_ip_address()}, id {node})"
        return Arrival(where, self._error)

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        """Score one schedule."""
        if self._evaluator is None:
            raise AutopruneError(f"an actor without evaluator was asked to evaluate: {self._error}")
        return self._evaluator.evaluate(request)


class RayExecutor:
    """Keeps ``workers`` actors; one that is lost, with its node or alone, is replaced.

    The ticket of a lost actor comes back empty. Where the cluster has no room for all actors, or
    no more, those that found a place do the work.

    Args:
        recipe: makes the evaluator inside the actor.
        workers: actors; each asks Ray for ``threads`` CPUs and ``gpus`` GPUs.
        address: of a running cluster, or None for a Ray started here.
        threads: training threads of one actor.
        gpus: of one actor; 0.5 lets two share one.
    """

    def __init__(
        self,
        recipe: Recipe,
        workers: int,
        *,
        address: str | None = None,
        threads: int = 1,
        gpus: float = 0.0,
    ) -> None:
        self._ray = _import_ray()
        self._make, self._count, self._address = recipe, workers, address
        self._threads, self._gpus = threads, gpus
        self._started_ray = False
        self._queue: deque[tuple[str, EvaluationRequest]] = deque()
        self._arriving: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[str, Any]] = {}

    def submit(self, ticket: str, request: EvaluationRequest) -> None:
        """Queue one evaluation; it starts at once when an actor is free."""
        if not self._actors():
            self._start()
        self._queue.append((ticket, request))
        self._feed()

    def wait(self, timeout_s: float) -> list[Completed]:
        """Answers that have come within ``timeout_s``.

        Raises:
            AutopruneError: a node cannot make the evaluator; says which.
        """
        if not self._running and not self._queue:
            return []
        watched = [*self._running, *self._arriving]
        ready, _ = self._ray.wait(watched, num_returns=1, timeout=timeout_s)
        for reference in ready:
            if reference in self._arriving:
                self._welcome(reference)
        completed = [self._collect(ref) for ref in ready if ref in self._running]
        self._feed()
        return completed

    def close(self) -> None:
        """Kill the actors, and the Ray that was started here."""
        self._queue.clear()
        for actor in self._actors():
            self._ray.kill(actor)
        self._arriving.clear()
        self._idle.clear()
        self._running.clear()
        if self._started_ray:
            self._ray.shutdown()
            self._started_ray = False

    def _actors(self) -> list[Any]:
        busy = (actor for _, actor in self._running.values())
        return [*self._arriving.values(), *self._idle, *busy]

    def _start(self) -> None:
        if not self._ray.is_initialized():
            self._connect()
        self._check_room()
        self._recipe = self._ray.put(self._make)
        self._actor_class = self._ray.remote(num_cpus=self._threads, num_gpus=self._gpus)(
            EvaluatorActor
        )
        for _ in range(self._count):
            self._add_actor()

    def _connect(self) -> None:
        cluster: dict[str, Any] = {
            "address": "local",  # also beside a cluster that runs on this machine
            "num_cpus": self._count * self._threads,
            # Actors import the user's model and data from where the driver does.
            "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}},
        }
        if self._address:
            cluster = {"address": self._address}
        self._ray.init(
            include_dashboard=False, configure_logging=False, log_to_driver=False, **cluster
        )
        self._started_ray = True

    def _check_room(self) -> None:
        """Refuse to wait for an actor that no node can ever hold."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        for node in nodes:
            if node.get("CPU", 0) >= self._threads and node.get("GPU", 0) >= self._gpus:
                return
        largest = ", ".join(
            f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes
        )
        raise InputError(
            f"no node of Ray can hold a worker of {self._threads} CPUs and {self._gpus:g} GPUs: "
            f"they have {largest or 'nothing'}. Lower --train-threads or --ray-gpus, or add a node"
        )

    def _add_actor(self) -> None:
        actor = self._actor_class.remote(self._recipe)
        self._arriving[actor.arrive.remote()] = actor

    def _welcome(self, reference: Any) -> None:
        actor = self._arriving.pop(reference)
        arrival = self._get(reference)
        if arrival is None:
            self._add_actor()
        elif arrival.error is not None:
            self._ray.kill(actor)
            raise AutopruneError(
                f"the Ray node {arrival.node} is refused: {arrival.error}. Take it out of the "
                "cluster or repair it, then resume the job"
            )
        else:
            self._idle.append(actor)

    def _collect(self, reference: Any) -> Completed:
        ticket, actor = self._running.pop(reference)
        result = self._get(reference)
        if result is None:
            self._ray.kill(actor)  # it may only be out of reach
            self._add_actor()
        else:
            self._idle.append(actor)
        return Completed(ticket, result)

    def _get(self, reference: Any) -> Any:
        """An actor's answer; None where the actor, its node or the answer was lost."""
        errors = self._ray.exceptions
        lost = (
            errors.RayActorError,
            errors.ObjectLostError,
            errors.NodeDiedError,
            errors.WorkerCrashedError,
        )
        try:
            return self._ray.get(reference)
        except lost:
            return None

    def _feed(self) -> None:
        while self._queue and self._idle:
            ticket, request = self._queue.popleft()
            actor = self._idle.pop()
            self._running[actor.evaluate.remote(request)] = (ticket, actor)


def _import_ray() -> Any:
    try:
        import ray
        import ray.exceptions
        import ray.util
    except ImportError as error:
        raise InputError(
            f"the ray executor needs Ray, which is not installed: {install_command('ray')}"
        ) from error
    return ray
