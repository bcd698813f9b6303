"""Loss and metric of a task on a split."""

from __future__ import annotations

import math
from typing import Any, Literal

from torch import nn

from autoprune.data.seeding import isolated_randomness
from autoprune.data.targets import join, size_in_bytes
from autoprune.errors import TaskError
from autoprune.evaluation.batches import ScoringBatches
from autoprune.evaluation.modes import evaluating
from autoprune.evaluation.task_objective import TaskObjective

POOLED_BYTES = 256 * 1024**2
"""Outputs and targets kept for a pooled metric that is only told beside the score."""

MetricWish = Literal["no", "beside", "needed"]


def judge_task(
    model: nn.Module, batches: ScoringBatches, objective: TaskObjective, *, metric: MetricWish
) -> tuple[float, float | None]:
    """(mean loss, metric), weighted by images; the metric is None where it is not asked for.

    The same every time, also where the network draws random numbers. ``beside`` changes nothing of
    the loss and costs next to nothing: the metric is None as well where it takes a forward pass of
    its own or more than :data:`POOLED_BYTES`, where it raises, and where it is not finite.
    """
    loss, count = 0.0, 0
    measured: _Metric | _MetricBeside | None = None
    if metric == "needed":
        measured = _Metric(objective)
    elif metric == "beside" and not objective.task.loss_in_training_mode:
        measured = _MetricBeside(objective)
    with evaluating(model), isolated_randomness(0):
        for images, targets in batches:
            outputs = objective.judge(model, images, targets)
            loss += float(objective.loss(outputs, targets)) * len(images)
            count += len(images)
            if measured is not None:
                if objective.task.loss_in_training_mode:
                    outputs = objective.forward(model, images, targets)
                measured.add(outputs, targets, len(images))
    return loss / count, None if measured is None else measured.value()


class _Metric:
    """The metric of what was added: of all at once, or a mean over the batches."""

    def __init__(self, objective: TaskObjective) -> None:
        self._objective = objective
        self._pooled = objective.task.pooled
        self._kept: list[tuple[Any, Any]] = []
        self._total, self._count = 0.0, 0

    def add(self, outputs: Any, targets: Any, images: int) -> None:
        if self._pooled:
            self._kept.append((outputs, targets))
            return
        self._total += self._objective.metric(outputs, targets) * images
        self._count += images

    def value(self) -> float:
        if not self._pooled:
            return self._total / self._count
        try:
            outputs, targets = (join(parts) for parts in zip(*self._kept, strict=True))
        except ValueError as error:
            raise TaskError(
                f"{self._objective.task.says} is pooled, and the outputs or targets of its batches "
                f"cannot be joined: {error}; leave pooled out, or return tensors with one entry an "
                "image"
            ) from error
        return self._objective.metric(outputs, targets)


class _MetricBeside:
    """A metric that no score depends on: it is given up where it costs much or cannot be had."""

    def __init__(self, objective: TaskObjective) -> None:
        self._metric: _Metric | None = _Metric(objective)
        self._pooled = objective.task.pooled
        self._bytes = 0

    def add(self, outputs: Any, targets: Any, images: int) -> None:
        self._bytes += size_in_bytes((outputs, targets)) if self._pooled else 0
        if self._metric is None or self._bytes > POOLED_BYTES:
            self._metric = None
            return
        try:
            with isolated_randomness(0):  # what it draws must not move the network's later draws
                self._metric.add(outputs, targets, images)
        except TaskError:
            self._metric = None

    def value(self) -> float | None:
        if self._metric is None:
            return None
        try:
            value = self._metric.value()
        except TaskError:
            return None
        return value if math.isfinite(value) else None
