"""The tiny network for several labels at once: its data, its task, and tasks that are wrong."""

from __future__ import annotations

from typing import Any

import torch
from tiny_net import split_loaders
from torch import Tensor
from torch.nn import functional

import autoprune

Splits = dict[str, list[tuple[Tensor, Any]]]


def labels_at_once() -> Splits:
    """Batches of (images, [B, 10] of zeros and ones): the label, and whether it is even."""
    splits = {}
    for name, loader in split_loaders().items():
        splits[name] = [(images, _targets(labels)) for images, labels in loader]
    return splits


def too_few_targets() -> Splits:
    splits = labels_at_once()
    splits["val"][1] = (splits["val"][1][0], splits["val"][1][1][:-1])
    return splits


def _targets(labels: Tensor) -> Tensor:
    targets = functional.one_hot(labels, 10).float()
    targets[:, 0] = (labels % 2 == 0).float()
    return targets


def all_right(outputs: Tensor, targets: Tensor) -> Tensor:
    return ((outputs > 0) == (targets > 0.5)).all(1).float().mean()


LOSS = functional.binary_cross_entropy_with_logits
task = autoprune.Task(loss=LOSS, metric=all_right, direction="maximize")
loss_alone = autoprune.Task(loss=LOSS)
not_a_task = all_right


def _raises(outputs: Tensor, targets: Tensor) -> Tensor:
    raise ValueError("no boxes")


def _metric(value: Any) -> autoprune.Task:
    def odd(outputs: Tensor, targets: Tensor) -> Any:
        return value

    return autoprune.Task(loss=LOSS, metric=odd, direction="minimize")


raising = autoprune.Task(loss=_raises)
for_each_image = autoprune.Task(loss=lambda o, t: LOSS(o, t, reduction="none"))
not_finite = autoprune.Task(loss=lambda o, t: LOSS(o, t) * float("nan"))
detached = autoprune.Task(loss=lambda o, t: LOSS(o.detach(), t))
a_float = autoprune.Task(loss=lambda o, t: float(LOSS(o, t)))
metric_of_many = _metric(torch.zeros(10))
metric_not_finite = _metric(float("nan"))
