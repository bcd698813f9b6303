"""The port every executor implements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from autoprune.evaluation.contract import EvaluationRequest, EvaluationResult, Evaluator

Recipe = Callable[[], Evaluator]
"""Makes an evaluator in the process that calls it; picklable unless run in this process."""


@dataclass(frozen=True)
class Completed:
    """One answer. ``result`` is None when the process was lost: no verdict, submit it again."""

    ticket: str
    result: EvaluationResult | None


class Executor(Protocol):
    """Runs evaluations and hands the results back in any order.

    Legal orders::

        submit(a), submit(b), wait -> [b], submit(c), wait -> [a, c], close
        submit(a), close            # a is abandoned
        submit(a), wait -> [a], close, submit(b), wait -> [b]     # close frees the machine

    ``wait`` blocks until at least one ticket is completed or ``timeout_s`` passed; with nothing
    submitted it returns an empty list at once.
    """

    def submit(self, ticket: str, request: EvaluationRequest) -> None:
        """Queue one evaluation under a ticket unique among those not yet completed."""
        ...

    def wait(self, timeout_s: float) -> list[Completed]:
        """Answers that have come."""
        ...

    def close(self) -> None:
        """Stop every worker; safe to call twice. A later submit starts them again."""
        ...
