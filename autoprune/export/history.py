"""What a job went through, as its report draws it; the report holds it, to be rendered again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_BEGINS = '<script type="application/json" id="history">'
_OF_TRIALS_ALONE = '<script type="application/json" id="trials">'
"""What an earlier version wrote in its place."""


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Args:
        index: of the trial within its job.
        purpose: ``candidate``, ``step`` or ``probe``.
        score: by the schedule's metric; None for a failure.
        accuracy: fraction of validation images.
        predicted_latency_s: by the table.
        start_from: the trial whose weights it began with; None for the base weights.
    """

    index: int
    purpose: str
    score: float | None
    accuracy: float | None
    predicted_latency_s: float | None
    start_from: int | None = None


@dataclass(frozen=True)
class History:
    """The trials of a job, and what they are drawn beside; None where it is not known.

    Args:
        trials: in the order they were asked; rows without a score count as failed.
        base_score: of the unpruned network, by the schedule's metric.
        front: ``front``, ``unpruned`` and ``chosen`` of
            :func:`autoprune.export.front.front_document`.
        shares_before: layer -> its share of the unpruned network's latency, by the table.
        shares_after: of the chosen schedule's.
    """

    trials: Sequence[TrialRow]
    base_score: float | None = None
    front: Mapping[str, Any] | None = None
    shares_before: Mapping[str, float] | None = None
    shares_after: Mapping[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """As a report holds it."""
        return asdict(self)


def history_of(report: str) -> History | None:
    """The history a report was rendered from; None where it does not hold one, as in version 1."""
    for begins in (_BEGINS, _OF_TRIALS_ALONE):
        _, found, rest = report.partition(begins)
        if found:
            held = json.loads(rest.partition("</script>")[0])
            more = {"trials": held} if isinstance(held, list) else held
            return History(**{**more, "trials": [TrialRow(**row) for row in more["trials"]]})
    return None
