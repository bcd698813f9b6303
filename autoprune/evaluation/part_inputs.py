"""What a part of a network is called with, seen while the whole network runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.data.targets import describe, take
from autoprune.data.task import Task
from autoprune.errors import ModelError, TaskError
from autoprune.evaluation.modes import evaluating
from autoprune.evaluation.task_objective import TaskObjective
from autoprune.user_code import raised


class _Seen(Exception):  # noqa: N818 - no error: it ends the pass
    def __init__(self, inputs: tuple[Any, ...]) -> None:
        self.inputs: tuple[Any, ...] = inputs


def part_shape(model: nn.Module, dataset: Dataset, task: Task, images: int) -> tuple[int, ...]:
    """Shape of one image as the task's part gets it, in a pass of the whole over some images.

    It may differ from the data's: a detector resizes what it is given.

    Args:
        images: how many; the part has to be called with all of them at once.

    Raises:
        TaskError: there is no such part, it is not called, or not with one tensor of these images.
        ModelError: the network stops before it comes to its part.
    """
    inputs = _inputs(model, dataset, task, images)
    if len(inputs) == 1 and isinstance(inputs[0], torch.Tensor) and len(inputs[0]) == images:
        return tuple(inputs[0].shape[1:])
    raise TaskError(
        f"part {task.part!r} of {task.says} is called with {describe(inputs)}, expected one tensor "
        f"of {images} images: name a submodule that takes the images, as in 'backbone'"
    )


def _inputs(model: nn.Module, dataset: Dataset, task: Task, images: int) -> tuple[Any, ...]:
    def stop(_module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        raise _Seen((*arguments, *named.values()))

    index = torch.arange(images) % len(dataset.train)
    shown = dataset.normalise(dataset.train.images[index])
    handle = model.get_submodule(task.part).register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with evaluating(model), isolated_randomness(0):
            TaskObjective(task).judge(model, shown, take(dataset.train.targets, index))
    except _Seen as seen:
        return seen.inputs
    except TaskError:
        raise
    except Exception as error:
        raise ModelError(
            f"the model stops on {images} training images before it calls its part {task.part!r}, "
            f"with {raised(error)}; check the images, the targets and the task's "
            "batch"
        ) from error
    finally:
        handle.remove()
    raise TaskError(
        f"part {task.part!r} of {task.says} is not called by a pass of the model, so there is "
        "nothing to prune: name the submodule that computes the features"
    )
