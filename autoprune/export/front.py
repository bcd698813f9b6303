"""The front of score against latency over a job's trials, and what surrounds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from autoprune.export.schedule import MetricReference


@dataclass(frozen=True)
class FrontPoint:
    """One trial with a score.

    Args:
        trial: its index.
        widths: group name -> units kept.
        predicted_latency_s: by the table; latency_fraction is the same as a fraction of the
            unpruned network's measured latency.
        macs: None where they were not counted.
        score: at a trial's fidelity, by the job's metric.
        start_from: the trial whose weights it started from, so that finetuning accumulated and
            flatters its score; None for the base weights.
        figure: of a task, what it has in place of an accuracy.
    """

    trial: int
    purpose: str
    widths: Mapping[str, int]
    predicted_latency_s: float
    latency_fraction: float
    macs: int | None
    score: float
    accuracy: float | None
    start_from: int | None
    figure: float | None = None


@dataclass(frozen=True)
class Landmark:
    """A network that is no trial: the unpruned one, or what was chosen.

    Args:
        says: what it is, in words.
        latency_s: predicted of the chosen one, measured of the unpruned one.
    """

    says: str
    latency_s: float
    score: float
    accuracy: float | None


@dataclass(frozen=True)
class Front:
    """The front of one job, with all that surrounds it.

    Args:
        budget: as the user gave it.
        limit_s: the latency bound; None where there is none.
        trials: as many as the job may run.
        points: every trial with a score, in the order of the trials.
        best: those on the front, fastest first.
        chosen: with the score of its longer finetune; None until one is chosen.
        figure: name of what a task has in place of an accuracy; None of a classification.
    """

    job: str
    state: str
    budget: tuple[str, ...]
    limit_s: float | None
    metric: MetricReference
    trials: int
    points: tuple[FrontPoint, ...]
    best: tuple[FrontPoint, ...]
    unpruned: Landmark
    chosen: Landmark | None
    figure: str | None = None


def front_rows(front: Front) -> list[dict[str, Any]]:
    """The list that `autoprune show JOB --front --json` prints, fastest first."""
    rows = [asdict(point) for point in front.best]
    if front.figure is None:  # as trials are told
        for row in rows:
            del row["figure"]
    return rows


def front_document(front: Front) -> dict[str, Any]:
    """What the service answers and pages draw: the front and what surrounds it, less the trials."""
    return {
        "job": front.job,
        "state": front.state,
        "metric": front.metric.model_dump(mode="json"),
        "budget": list(front.budget),
        "limit_s": front.limit_s,
        "trials_planned": front.trials,
        "unpruned": asdict(front.unpruned),
        "chosen": None if front.chosen is None else asdict(front.chosen),
        "front": front_rows(front),
        **({} if front.figure is None else {"figure": front.figure}),
    }
