"""What an evaluation is asked and answers; both travel between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from autoprune.errors import AutopruneError

EVALUATION_VERSION = 2
"""Raised whenever the same request would score differently: it is part of an evaluation's key."""

PROBE_VERSION = 1
"""The same for probes alone."""


@dataclass(frozen=True)
class Fidelity:
    """How much training and validation one score gets, in steps and images, never in seconds.

    Args:
        steps: SGD steps of the short finetune; 0 scores right after recalibration.
        batch_size: images per step, and per recalibration batch.
        learning_rate, momentum, weight_decay: of SGD (cosine decay to 0 over the steps).
        reconstruction_batches: batches on which consumers of pruned channels are fitted to those
            kept, before the finetune; 0 is off.
        recalibration_batches: batches for the cumulative average of BN statistics.
        validation_images: how many of the validation split; 0 means all.
        teacher: weight in [0, 1] of the distillation loss from the unpruned network; 0 is off.
    """

    steps: int = 30
    batch_size: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    reconstruction_batches: int = 8
    recalibration_batches: int = 20
    validation_images: int = 0
    teacher: float = 0.5

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Probe:
    """A score without training: how much the network misses the units that a schedule leaves out.

    Args:
        images: how many of the validation split; 0 means all.
    """

    images: int = 256

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"probe": PROBE_VERSION, "images": self.images}


@dataclass(frozen=True)
class Metric:
    """What trials are ranked by.

    ``loss`` is the mean cross-entropy, or a task's loss; ``calibrated-loss`` is the mean
    cross-entropy with the logits divided by the temperature that is best for it.
    """

    name: str = "calibrated-loss"
    direction: Literal["minimize", "maximize"] = "minimize"

    def as_loss(self, score: float) -> float:
        """The score as something to minimise."""
        return score if self.direction == "minimize" else -score


@dataclass(frozen=True)
class EvaluationRequest:
    """Score one schedule.

    Args:
        widths: group name -> units kept.
        fidelity: how thoroughly.
        start: a checkpoint (see :mod:`autoprune.evaluation.checkpoint`) to start from; None means
            the base weights.
        want_weights: whether the finetuned weights are to come back.

    Raises:
        AutopruneError: a probe that is to start from other weights, or to give weights back.
    """

    widths: Mapping[str, int]
    fidelity: Fidelity | Probe
    start: bytes | None = None
    want_weights: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.fidelity, Probe) and (self.start is not None or self.want_weights):
            asked = "weights to start from" if self.start is not None else "weights wanted back"
            raise AutopruneError(
                f"a probe scores the base weights and changes none, got {asked}: "
                "use a trial's fidelity"
            )


@dataclass(frozen=True)
class EvaluationResult:
    """What one evaluation gave.

    Args:
        score: by the job's metric; None when the evaluation failed.
        loss: mean validation cross-entropy, or a task's loss.
        accuracy: fraction of validation images classified correctly; None where there are no
            classes.
        seconds: wall time.
        error: None, or the verdict in one line.
        weights: a checkpoint, where it was asked for.
        figure: a task's metric, or its loss where it has none; None where there are classes, and
            where it would cost more than it is worth (of a probe always, unless it is the score).
    """

    score: float | None
    loss: float | None
    accuracy: float | None
    seconds: float
    error: str | None = None
    weights: bytes | None = None
    figure: float | None = None


class Evaluator(Protocol):
    """Scores schedules of one network; deterministic for a fixed environment fingerprint."""

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        """Score one schedule; an exception or NaN becomes a result with an error."""
        ...
