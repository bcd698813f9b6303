"""Steps of gradient descent, as the short finetune and the full training take them."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn

from autoprune.evaluation.descent import descend
from autoprune.evaluation.objective import Objective


class Steps(Protocol):
    """One training under way."""

    def take(
        self, images: torch.Tensor, targets: Any, taught: Any, learning_rate: float, step: int
    ) -> None:
        """Take one step.

        Args:
            taught: outputs of the unpruned network; None without distillation.
            step: its number, for messages.

        Raises:
            DivergedError: the loss is NaN or infinite, where that is known by now.
        """
        ...

    def losses(self) -> list[float]:
        """Of the steps since this was last asked; raises DivergedError where one is not finite."""
        ...


class EagerSteps:
    """Each step is computed as it is taken.

    Args:
        teacher_weight: of the distillation loss, where something is taught.
        smoothing: of labels.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.SGD,
        objective: Objective,
        teacher_weight: float = 0.0,
        smoothing: float = 0.0,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self._objective = objective
        self._teacher_weight = teacher_weight
        self._smoothing = smoothing
        self._losses: list[float] = []

    def take(
        self, images: torch.Tensor, targets: Any, taught: Any, learning_rate: float, step: int
    ) -> None:
        """Take one step; nothing changes where the loss is not finite."""
        loss = self.loss(images, targets, taught)
        self._losses.append(descend(self.optimizer, learning_rate, loss, step))

    def losses(self) -> list[float]:
        """Of the steps since this was last asked."""
        taken, self._losses = self._losses, []
        return taken

    def loss(self, images: torch.Tensor, targets: Any, taught: Any) -> torch.Tensor:
        """What is minimised; scalar."""
        outputs = self._objective.forward(self.model, images, targets)
        return self._objective.loss(outputs, targets, taught, self._teacher_weight, self._smoothing)
