"""Where a NetAdapt search stands, as JSON values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from searchers.contract import Outcome

Widths = tuple[int, ...]


@dataclass(frozen=True)
class Winner:
    """The network the running iteration starts from; at first the unpruned one.

    Args:
        widths: its schedule.
        trial: its id, whose weights the iteration starts from; None means the base weights.
        outcome: what it scored; None for the unpruned network.
    """

    widths: Widths
    trial: int | None = None
    outcome: Outcome | None = None

    def to_json(self) -> list[object]:
        """Plain JSON values."""
        return [list(self.widths), self.trial, _scores(self.outcome)]

    @classmethod
    def from_json(cls, value: Any) -> Winner:
        """The inverse of :meth:`to_json`."""
        widths, trial, scores = value
        return cls(tuple(widths), trial, None if scores is None else Outcome(*scores))


@dataclass(frozen=True)
class Iteration:
    """The moves tried from one winner.

    Args:
        queue: schedules not asked yet.
        asked: id -> schedule.
        told: id -> outcome.
    """

    queue: list[Widths]
    asked: dict[int, Widths] = field(default_factory=dict)
    told: dict[int, Outcome] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every move was asked and told."""
        return not self.queue and len(self.told) == len(self.asked)

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "queue": [list(widths) for widths in self.queue],
            "asked": [[key, list(widths)] for key, widths in self.asked.items()],
            "told": [[key, _scores(outcome)] for key, outcome in self.told.items()],
        }

    @classmethod
    def from_json(cls, value: Any) -> Iteration:
        """The inverse of :meth:`to_json`."""
        return cls(
            [tuple(widths) for widths in value["queue"]],
            {key: tuple(widths) for key, widths in value["asked"]},
            {key: Outcome(*scores) for key, scores in value["told"]},
        )


def _scores(outcome: Outcome | None) -> list[float | None] | None:
    """Loss and accuracy; those of a failure are None, as JSON has no NaN."""
    if outcome is None:
        return None
    return [None, None] if outcome.failed else [outcome.loss, outcome.accuracy]
