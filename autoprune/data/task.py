"""What a network is for, where that is not image classification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from autoprune.errors import TaskError

Loss = Callable[[Any, Any], torch.Tensor]
"""(outputs of the network, targets) -> scalar tensor: a mean over the images of a batch."""

FUNCTIONS = ("loss", "metric", "batch", "distillation")
"""Fields of a task that the user's code stands behind."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """How a network is called, trained and scored; every field but ``loss`` has a default.

    Outputs are whatever the network returns; targets are as the data has them: a tensor [B, ...],
    a list with one entry an image, or a dict or tuple of these.

    Args:
        loss: (outputs, targets) -> scalar tensor, a mean over the images. It is what finetuning
            minimises and, unless a metric is named, what trials are ranked by.
        metric: (outputs, targets) -> one number, told beside the loss; ``--metric`` with the
            function's name ranks by it.
        direction: which values of the metric are better.
        pooled: call the metric once, with the outputs and targets of all batches joined: tensors
            are concatenated, lists joined, dicts and tuples by their entries. Otherwise its score
            is the mean over the batches, weighted by their images.
        batch: (images [B, C, H, W], targets) -> the tuple of arguments the network is called
            with; the images alone by default.
        distillation: (outputs, outputs of the unpruned network) -> scalar tensor, mixed into the
            loss by ``fidelity.teacher``; without it there is no teacher.
        part: name of the submodule that is pruned, measured and exported, as in ``"backbone"``;
            the whole network by default.
        loss_in_training_mode: the network returns what the loss takes in training mode alone, as
            torchvision's detectors do. To score the loss, all modules but batch norms and dropouts
            are then in training mode. The metric takes what evaluation mode returns.
        name: as ``--task`` named it; set when it is loaded.

    Raises:
        TaskError: a field that cannot be used; says which.
    """

    loss: Loss
    metric: Callable[[Any, Any], Any] | None = None
    direction: Literal["minimize", "maximize"] | None = None
    pooled: bool = False
    batch: Callable[[torch.Tensor, Any], tuple[Any, ...]] | None = None
    distillation: Loss | None = None
    part: str = ""
    loss_in_training_mode: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        for field in FUNCTIONS:
            given = getattr(self, field)
            if not callable(given) and (field == "loss" or given is not None):
                raise TaskError(f"{field} of a task must be a function, got {given!r}")
        if self.direction not in (None, "minimize", "maximize"):
            raise TaskError(
                f"direction of a task must be 'minimize' or 'maximize', got {self.direction!r}"
            )
        if (self.metric is None) != (self.direction is None):
            missing = "direction" if self.direction is None else "metric"
            raise TaskError(
                f"a task has a metric with a direction, here the {missing} is missing: write "
                "Task(loss=..., metric=function, direction='minimize' or 'maximize')"
            )
        if not isinstance(self.part, str):
            raise TaskError(f"part of a task is the name of a submodule, got {self.part!r}")

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A task that has a name travels to other processes by it, as models and data do."""
        if not self.name:
            return super().__reduce_ex__(protocol)
        from autoprune.data.task_names import load_task

        return load_task, (self.name,)

    @property
    def metric_name(self) -> str | None:
        """The name of the metric's function; None where there is no metric."""
        if self.metric is None:
            return None
        name = str(getattr(self.metric, "__name__", "metric"))
        return name if name.isidentifier() and name != "loss" else "metric"

    @property
    def says(self) -> str:
        """What messages call it."""
        return f"task {self.name!r}" if self.name else "the task"

    def named(self, name: str) -> Task:
        """The same under a name that it can be loaded by."""
        return replace(self, name=name)
