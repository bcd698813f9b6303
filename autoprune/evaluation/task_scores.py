"""Loss and metric of a task on a split."""

from __future__ import annotations

from typing import Any

from torch import nn

from autoprune.data.seeding import isolated_randomness
from autoprune.data.targets import join
from autoprune.errors import TaskError
from autoprune.evaluation.batches import ScoringBatches
from autoprune.evaluation.modes import evaluating
from autoprune.evaluation.task_objective import TaskObjective


def judge_task(
    model: nn.Module, batches: ScoringBatches, objective: TaskObjective, *, with_metric: bool
) -> tuple[float, float | None]:
    """(mean loss, metric), weighted by images; the metric is None where it is not asked for.

    The same every time, also where the network draws random numbers.
    """
    loss, count = 0.0, 0
    measured = _Metric(objective)
    with evaluating(model), isolated_randomness(0):
        for images, targets in batches:
            outputs = objective.judge(model, images, targets)
            loss += float(objective.loss(outputs, targets)) * len(images)
            count += len(images)
            if with_metric:
                if objective.task.loss_in_training_mode:
                    outputs = objective.forward(model, images, targets)
                measured.add(outputs, targets, len(images))
    return loss / count, measured.value() if with_metric else None


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
