"""A task's functions, called with care: what they return is checked, what they raise is named."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from autoprune.data.targets import describe
from autoprune.data.task import Task
from autoprune.errors import TaskError
from autoprune.user_code import raised


class TaskObjective:
    """Implements :class:`~autoprune.evaluation.objective.Objective` by a task."""

    def __init__(self, task: Task) -> None:
        self.task = task

    @property
    def plain(self) -> bool:
        """Whether every pass is ``model(images)``."""
        return self.task.batch is None and not self.task.loss_in_training_mode

    @property
    def distils(self) -> bool:
        """Whether the task says how."""
        return self.task.distillation is not None

    def forward(self, model: nn.Module, images: torch.Tensor, targets: Any) -> Any:
        """Outputs in the mode that the model is in."""
        return model(*self._arguments(images, targets))

    def judge(self, model: nn.Module, images: torch.Tensor, targets: Any) -> Any:
        """Outputs that the loss takes, with batch norms and dropouts in the mode they are in."""
        arguments = self._arguments(images, targets)
        if not self.task.loss_in_training_mode:
            return model(*arguments)
        with _training_around_norms(model):
            return model(*arguments)

    def loss(
        self,
        outputs: Any,
        targets: Any,
        taught: Any = None,
        weight: float = 0.0,
        smoothing: float = 0.0,  # noqa: ARG002 - of class labels
    ) -> torch.Tensor:
        """The task's loss, mixed with its distillation where there is a teacher."""
        hard = self._scalar("loss", outputs, targets)
        if taught is None:
            return hard
        return (1.0 - weight) * hard + weight * self._scalar("distillation", outputs, taught)

    def check(self, outputs: Any, images: int, when: str) -> None:
        """Nothing is known of a task's outputs: its loss takes them, or says why not."""

    def metric(self, outputs: Any, targets: Any) -> float:
        """The task's metric as one number, which may be NaN."""
        value = self._call("metric", outputs, targets)
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            value = value.item()
        try:
            if isinstance(value, torch.Tensor):
                raise TypeError
            return float(value)
        except (TypeError, ValueError):
            raise TaskError(
                f"the metric of {self.task.says} must return one number, got {describe(value)}"
            ) from None

    def _arguments(self, images: torch.Tensor, targets: Any) -> tuple[Any, ...]:
        if self.task.batch is None:
            return (images,)
        arguments = self._call("batch", images, targets)
        if isinstance(arguments, tuple):
            return arguments
        raise TaskError(
            f"batch of {self.task.says} must return the tuple of arguments that the network is "
            f"called with, as in (images,), got {describe(arguments)}"
        )

    def _scalar(self, field: str, outputs: Any, targets: Any) -> torch.Tensor:
        value = self._call(field, outputs, targets)
        if isinstance(value, torch.Tensor) and value.numel() == 1 and value.is_floating_point():
            return value.reshape(())
        raise TaskError(
            f"the {field} of {self.task.says} must return one floating-point number as a tensor, "
            f"got {describe(value)}: take a mean over images and pixels"
        )

    def _call(self, field: str, *arguments: Any) -> Any:
        try:
            return getattr(self.task, field)(*arguments)
        except Exception as error:
            given = " and ".join(describe(each) for each in arguments)
            raise TaskError(
                f"the {field} of {self.task.says} raised {raised(error)}; it was "
                f"called with {given}"
            ) from error


def check_finite_loss(task: Task, loss: torch.Tensor, when: str) -> None:
    """Raise TaskError where the loss of the unpruned network is NaN or infinite."""
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TaskError(
            f"the loss of {task.says} is {value} {when}: expected a finite number; check the "
            "targets, the weights of the network, and how images are normalised"
        )


@contextmanager
def _training_around_norms(model: nn.Module) -> Iterator[None]:
    """Inside, all modules but norms of channels and dropouts are in training mode."""
    switched = [
        module
        for module in model.modules()
        if not module.training and not isinstance(module, _NormBase | _DropoutNd)
    ]
    for module in switched:
        module.training = True
    try:
        yield
    finally:
        for module in switched:
            module.training = False
