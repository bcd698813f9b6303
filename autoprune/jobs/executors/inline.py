"""Evaluations in the driver's own process, one at a time."""

from __future__ import annotations

from collections import deque

from autoprune.evaluation.contract import EvaluationRequest, Evaluator
from autoprune.jobs.executors.port import Completed, Recipe


class InlineExecutor:
    """Runs each request when somebody waits for it; the evaluator is made at the first one."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._evaluator: Evaluator | None = None
        self._queue: deque[tuple[str, EvaluationRequest]] = deque()

    def submit(self, ticket: str, request: EvaluationRequest) -> None:
        """Queue one evaluation."""
        self._queue.append((ticket, request))

    def wait(self, timeout_s: float) -> list[Completed]:  # noqa: ARG002 - runs to the end
        """Run the oldest request to its end."""
        if not self._queue:
            return []
        if self._evaluator is None:
            self._evaluator = self._recipe()
        ticket, request = self._queue.popleft()
        return [Completed(ticket, self._evaluator.evaluate(request))]

    def close(self) -> None:
        """Forget what was queued."""
        self._queue.clear()
