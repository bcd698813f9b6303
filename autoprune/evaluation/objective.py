"""How outputs are called for, judged and taught: by classes, or as a task of the user's says."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.evaluation.losses import training_loss
from autoprune.evaluation.outputs import check_scores
from autoprune.evaluation.task_objective import TaskObjective


class Objective(Protocol):
    """What finetuning minimises, and the passes that measure it."""

    @property
    def plain(self) -> bool:
        """Whether every pass is ``model(images)``."""
        ...

    @property
    def distils(self) -> bool:
        """Whether outputs of the unpruned network can teach."""
        ...

    def forward(self, model: nn.Module, images: torch.Tensor, targets: Any) -> Any:
        """Outputs in the mode that the model is in."""
        ...

    def judge(self, model: nn.Module, images: torch.Tensor, targets: Any) -> Any:
        """Outputs that the loss takes, with batch norms and dropouts in the mode they are in."""
        ...

    def loss(
        self,
        outputs: Any,
        targets: Any,
        taught: Any = None,
        weight: float = 0.0,
        smoothing: float = 0.0,
    ) -> torch.Tensor:
        """(1 - weight) loss + weight distillation; scalar.

        Args:
            taught: outputs of the unpruned network; None for the loss alone.
            smoothing: of labels, where there are classes.
        """
        ...

    def check(self, outputs: Any, images: int, when: str) -> None:
        """Raise where outputs of ``images`` images are not what they must be."""
        ...


class Classification:
    """Class scores [B, K] and class numbers [B].

    Args:
        dataset: for the number of classes in checks; None where none is made.
    """

    plain = True
    distils = True

    def __init__(self, dataset: Dataset | None = None) -> None:
        self._dataset = dataset

    def forward(self, model: nn.Module, images: torch.Tensor, targets: Any) -> Any:  # noqa: ARG002
        """Class scores."""
        return model(images)

    judge = forward

    def loss(
        self,
        outputs: Any,
        targets: Any,
        taught: Any = None,
        weight: float = 0.0,
        smoothing: float = 0.0,
    ) -> torch.Tensor:
        """Cross-entropy and distillation."""
        return training_loss(outputs, targets, taught, weight, smoothing)

    def check(self, outputs: Any, images: int, when: str) -> None:
        """Raise ModelError unless there is a score for every image and class."""
        if self._dataset is not None:
            check_scores(outputs, images, self._dataset, when)


CLASSES = Classification()
"""The default of what is given batches and no dataset: its outputs are not checked."""


def objective_of(dataset: Dataset) -> Objective:
    """By the dataset's task, or its classes."""
    if dataset.task is None:
        return Classification(dataset)
    return TaskObjective(dataset.task)
