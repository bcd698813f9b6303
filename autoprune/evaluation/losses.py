"""The training loss: cross-entropy, and distillation from the unpruned network."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from autoprune.errors import AutopruneError

TEMPERATURE = 4.0
"""Softens both distributions; Hinton et al. (arXiv 1503.02531) use 2.5 to 20."""


class DivergedError(AutopruneError):
    """The loss stopped being a finite number: the learning rate is too high for this network."""


def distillation_loss(logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """T^2 KL(teacher || student) at temperature T (arXiv 1503.02531, sec. 2); scalar.

    Args:
        logits: of the network being trained, [B, K].
        teacher: of the unpruned network on the same images, [B, K].
    """
    divergence = functional.kl_div(
        functional.log_softmax(logits / TEMPERATURE, dim=1),
        functional.log_softmax(teacher / TEMPERATURE, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * TEMPERATURE**2


def training_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    teacher: torch.Tensor | None = None,
    teacher_weight: float = 0.0,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """(1 - w) cross-entropy + w distillation; scalar."""
    hard = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    if teacher is None:
        return hard
    return (1.0 - teacher_weight) * hard + teacher_weight * distillation_loss(logits, teacher)


def check_finite(loss: torch.Tensor, step: int) -> float:
    """The loss as a number; raises DivergedError unless it is finite."""
    value = float(loss.detach())
    if not math.isfinite(value):
        raise diverged(value, step)
    return value


def diverged(value: float, step: int) -> DivergedError:
    """The error for a training loss that is not finite."""
    return DivergedError(f"the training loss became {value} at step {step}: train more slowly")
