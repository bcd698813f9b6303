"""Evaluations as a job sees them: reused where known, shared while running, repeated when lost."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace

from autoprune.errors import AutopruneError, StorageError
from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult, Fidelity, Probe
from autoprune.jobs.context import SearchContext
from autoprune.jobs.executors.port import Completed
from autoprune.trials.records import TrialResult

LOSSES_BEFORE_ALONE = 3
LOSSES_BEFORE_STOPPING = 20
"""A lost process is no verdict, but one evaluation that takes this many with it stops the job."""

_OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError", "not enough memory", "can't allocate memory")

_POLL_S = 1.0


@dataclass(frozen=True)
class Task:
    """One evaluation to be had.

    Args:
        ticket: name of the answer; unique among those not yet answered.
        key: evaluation key.
        start: packed weights to start from, None for the base weights.
        fresh: run it even where the score is known (its weights are wanted again).
    """

    ticket: str
    key: str
    widths: tuple[int, ...]
    fidelity: Fidelity | Probe
    start: bytes | None = None
    want_weights: bool = False
    fresh: bool = False


class Evaluations:
    """Answers tasks in any order.

    Legal orders::

        start(a), start(b), next -> [b], next -> [a]
        start(a), start(b) with the same key, next -> [a, b]      # evaluated once

    What runs out of memory is tried once more with nothing beside it; if it does so again, that is
    its verdict, and the job is marked ``timing_dependent``.
    """

    def __init__(self, context: SearchContext) -> None:
        self._context = context
        self._ready: deque[tuple[str, TrialResult]] = deque()
        self._running: dict[str, list[Task]] = {}
        self._losses: Counter[str] = Counter()
        self._submitted: set[str] = set()
        self._held: deque[str] = deque()  # wait until nothing runs or waits alone
        self._alone: deque[str] = deque()  # wait until nothing else runs
        self._tried_alone: set[str] = set()

    def start(self, task: Task) -> None:
        """Begin one evaluation, or find its score in the database."""
        known = None if task.fresh else self._known(task)
        if known is not None:
            self._ready.append((task.ticket, known))
            return
        slot = f"{task.key}{'+weights' if task.want_weights else ''}"
        tasks = self._running.setdefault(slot, [])
        tasks.append(task)
        if len(tasks) == 1:
            self._held.append(slot)
            self._schedule()

    def next(self) -> list[tuple[str, TrialResult]]:
        """Answers that are there; waits for at least one.

        Raises:
            AutopruneError: nothing was started that is not answered.
        """
        if not self._ready and not self._running:
            raise AutopruneError("waiting for an evaluation that nobody started: this is a defect")
        while not self._ready and self._running:
            for completed in self._context.executor.wait(_POLL_S):
                self._receive(completed)
        answers = list(self._ready)
        self._ready.clear()
        return answers

    def run(self, task: Task) -> TrialResult:
        """Have one evaluation now; other answers stay for :meth:`next`."""
        self.start(task)
        others: list[tuple[str, TrialResult]] = []
        while True:
            answers = dict(self.next())
            mine = answers.pop(task.ticket, None)
            others.extend(answers.items())
            if mine is not None:
                self._ready.extend(others)
                return mine

    def stored_weights(self, result: TrialResult | None) -> bytes | None:
        """The weights a result left, or None where they are gone: another job may delete them."""
        if result is None or not self._has_weights(result):
            return None
        try:
            return self._context.store.get_artifact(result.weights or "")
        except StorageError:
            return None

    def _known(self, task: Task) -> TrialResult | None:
        result = self._context.store.evaluation(task.key)
        if result is None or result.score is None:
            return None
        if task.want_weights and not self._has_weights(result):
            return None
        return replace(result, seconds=0.0, error=None, reused=True)

    def _has_weights(self, result: TrialResult) -> bool:
        return result.weights is not None and self._context.store.has_artifact(result.weights)

    def _schedule(self) -> None:
        """Submit what may run now: everything held, or one that must be alone."""
        if not self._alone and not (self._submitted & self._tried_alone):
            while self._held:
                self._submit(self._held.popleft())
        elif not self._submitted:
            slot = self._alone.popleft()
            self._tried_alone.add(slot)
            self._submit(slot)

    def _submit(self, slot: str) -> None:
        task = self._running[slot][0]
        request = EvaluationRequest(
            self._context.named(task.widths), task.fidelity, task.start, task.want_weights
        )
        self._submitted.add(slot)
        self._context.executor.submit(slot, request)

    def _receive(self, completed: Completed) -> None:
        slot, result = completed.ticket, completed.result
        self._submitted.discard(slot)
        if result is None:
            self._repeat(slot)
        elif _ran_out_of_memory(result) and slot not in self._tried_alone:
            self._alone.append(slot)
        else:
            self._answer(slot, result)
        self._schedule()

    def _answer(self, slot: str, result: EvaluationResult) -> None:
        if _ran_out_of_memory(result):
            self._context.store.commit(self._context.lease, timing_dependent=True)
        self._tried_alone.discard(slot)
        stored = self._store(result)
        self._ready.extend((task.ticket, stored) for task in self._running.pop(slot))

    def _repeat(self, slot: str) -> None:
        self._losses[slot] += 1
        self._tried_alone.discard(slot)
        if self._losses[slot] >= LOSSES_BEFORE_STOPPING:
            raise AutopruneError(
                f"the evaluation of {self._running[slot][0].widths} took {self._losses[slot]} "
                "worker processes with it (is the machine out of memory?): lower --workers or the "
                "batch size and resume"
            )
        alone = self._losses[slot] >= LOSSES_BEFORE_ALONE
        (self._alone if alone else self._held).append(slot)

    def _store(self, result: EvaluationResult) -> TrialResult:
        weights = None
        if result.weights is not None:
            weights = self._context.store.put_artifact(result.weights, "weights")
        return TrialResult(
            result.score,
            result.loss,
            result.accuracy,
            result.seconds,
            result.error,
            weights,
            figure=result.figure,
        )


def _ran_out_of_memory(result: EvaluationResult) -> bool:
    return result.error is not None and any(sign in result.error for sign in _OUT_OF_MEMORY)
