"""How good a network is on a split."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from autoprune.data.dataset import Dataset, SplitName
from autoprune.data.task import Task
from autoprune.evaluation.batches import SCORING_BATCH, TASK_BATCH, ScoringBatches
from autoprune.evaluation.contract import Metric
from autoprune.evaluation.metrics import find_metric
from autoprune.evaluation.modes import evaluating
from autoprune.evaluation.placement import device_of
from autoprune.evaluation.task_objective import TaskObjective
from autoprune.evaluation.task_scores import MetricWish, judge_task

HOTTEST = 20.0
BISECTIONS = 24
"""Leave the temperature within a millionth: the loss is flat there."""


@dataclass(frozen=True)
class Scores:
    """The metric's score, and what is told beside it, on a split.

    Args:
        loss: mean cross-entropy, or the task's loss.
        accuracy: in [0, 1]; None where there are no classes.
        figure: the task's metric, or its loss where it has none; None where there are classes,
            and where it was not asked for or would cost more than it is worth.
    """

    score: float
    loss: float
    accuracy: float | None
    figure: float | None = None


def validate(
    model: nn.Module,
    dataset: Dataset,
    split: SplitName = "val",
    limit: int = 0,
    batch_size: int = SCORING_BATCH,
) -> tuple[float, float]:
    """(mean cross-entropy, accuracy in [0, 1]) on a split.

    ``limit`` images are scored, the classes in proportion; 0 means all. ``batch_size`` decides the
    last bits of the loss.
    """
    batches = ScoringBatches(dataset, split, limit, batch_size, device_of(model))
    return _validate(model, batches)[:2]


def calibrated_loss(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Least mean cross-entropy of logits / T over temperatures T from 1/20 to 20.

    A network that was finetuned for a few steps is far too sure of itself, and the more so the more
    it was pruned; a longer finetune mends that before anything else, so it says little of how good
    the network will be. Cross-entropy is convex in 1 / T (temperature scaling: Guo et al.,
    arXiv 1706.04599, section 4.2).

    Args:
        logits: [N, K].
        labels: [N].
    """
    logits = logits.double()
    of_label = logits.gather(1, labels[:, None]).mean()
    low, high = -math.log(HOTTEST), math.log(HOTTEST)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        expected = (functional.softmax(math.exp(middle) * logits, dim=1) * logits).sum(1).mean()
        low, high = (middle, high) if expected < of_label else (low, middle)
    return float(functional.cross_entropy(math.exp(0.5 * (low + high)) * logits, labels))


def _validate(
    model: nn.Module, batches: ScoringBatches, *, calibrate: bool = False
) -> tuple[float, float, float]:
    """(mean cross-entropy, accuracy, loss that is calibrated where it is asked for)."""
    loss, correct, count = 0.0, 0, 0
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    with evaluating(model):
        for images, labels in batches:
            logits = model(images)
            loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
            correct += int((logits.argmax(1) == labels).sum())
            count += len(labels)
            if calibrate:
                seen.append((logits, labels))
    mean = loss / count
    if not calibrate or not math.isfinite(mean):
        return mean, correct / count, mean
    of_all = calibrated_loss(torch.cat([x for x, _ in seen]), torch.cat([y for _, y in seen]))
    return mean, correct / count, of_all


def score(
    model: nn.Module,
    dataset: Dataset,
    metric: Metric,
    split: SplitName = "val",
    limit: int = 0,
    batch_size: int | None = None,
    *,
    figure: bool = False,
) -> Scores:
    """Score ``model`` by ``metric``, with loss and accuracy beside it; as :func:`validate`.

    ``figure`` asks for a task's figure as well, where it can be had of the outputs at hand. The
    batch size is :data:`SCORING_BATCH`, or :data:`TASK_BATCH` of a task's data.
    """
    function = find_metric(metric, dataset.task)
    if batch_size is None:
        batch_size = SCORING_BATCH if dataset.task is None else TASK_BATCH
    batches = ScoringBatches(dataset, split, limit, batch_size, device_of(model))
    if dataset.task is not None:
        scores = _score_task(model, batches, metric, dataset.task, figure)
    else:
        scores = _score_classes(model, batches, metric)
    if function is not None:
        with evaluating(model):
            scores = replace(scores, score=float(function(model, batches)))
    return scores


def _score_classes(model: nn.Module, batches: ScoringBatches, metric: Metric) -> Scores:
    calibrate = metric.name == "calibrated-loss"
    loss, accuracy, calibrated = _validate(model, batches, calibrate=calibrate)
    return Scores(accuracy if metric.name == "accuracy" else calibrated, loss, accuracy)


def _score_task(
    model: nn.Module, batches: ScoringBatches, metric: Metric, task: Task, figure: bool
) -> Scores:
    ranks = metric.name == task.metric_name
    told = figure and task.metric_name is not None
    wish: MetricWish = "needed" if ranks else "beside" if told else "no"
    loss, value = judge_task(model, batches, TaskObjective(task), metric=wish)
    ranked = value if ranks and value is not None else loss
    return Scores(ranked, loss, None, loss if task.metric_name is None else value)
