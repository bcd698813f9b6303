"""What is told of a network on a split, and whether its validation split can be believed."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from autoprune.data.dataset import Dataset, SplitName
from autoprune.evaluation.contract import Metric
from autoprune.evaluation.metrics import own_metric
from autoprune.evaluation.scoring import score, validate

TRAINING_SAMPLE = 5_000
STANDARD_ERRORS = 2.0


def score_base(
    model: nn.Module, dataset: Dataset, metric: Metric, *, limit: int = 0
) -> dict[str, Any]:
    """``score``, ``loss`` and ``accuracy`` of the unpruned network on the validation split.

    Where there are no classes the accuracy is None, and ``figure`` holds name, direction and value
    of the task's metric, or of its loss where it has none.

    ``limit`` is the number of validation images, as in a trial's fidelity; 0 means all.
    """
    scores = score(model, dataset, metric, limit=limit, figure=True)
    said = {"score": scores.score, "loss": scores.loss, "accuracy": scores.accuracy}
    if dataset.task is None:
        return said
    own = own_metric(dataset.task)
    value = scores.figure
    if value is None:
        value = score(model, dataset, own, limit=limit).score
    return {**said, "figure": {"name": own.name, "direction": own.direction, "value": value}}


def figure(model: nn.Module, dataset: Dataset, split: SplitName) -> float | None:
    """Accuracy in [0, 1], or the task's figure, on a split; None where there is none.

    A figure that is not finite is None too.
    """
    if split not in dataset.splits:
        return None
    if dataset.task is None:
        return validate(model, dataset, split)[1]
    value = score(model, dataset, own_metric(dataset.task), split).score
    return value if math.isfinite(value) else None


def leakage_warning(model: nn.Module, dataset: Dataset) -> str | None:
    """A warning where a carved validation split was probably trained on; None otherwise.

    A network is better on images it was trained on. Where it is not measurably worse on the
    validation images, and both came out of the same training folder, it has probably seen them.
    Measurably: by more than two standard errors of the difference of the two accuracies.
    """
    if not dataset.val_carved or dataset.task is not None:
        return None
    sample = min(TRAINING_SAMPLE, len(dataset.train))
    _, training = validate(model, dataset, "train", limit=sample)
    _, validation = validate(model, dataset, "val")
    guessing = 1.0 / len(dataset.classes)
    variance = training * (1.0 - training) / sample
    variance += validation * (1.0 - validation) / len(dataset.val)
    margin = STANDARD_ERRORS * math.sqrt(variance)
    if training < 2.0 * guessing or training - validation > margin:
        return None
    return (
        f"{dataset.name} has no validation split of its own, and the unpruned network is as good "
        f"on the one carved out of the training images ({validation:.1%}) as on the rest "
        f"({training:.1%}): it was probably trained on both, so validation accuracy says "
        "little about new images. Give validation images the network has not seen."
    )
