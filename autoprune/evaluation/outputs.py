"""What a network must put out: class scores, in evaluation and in training mode."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autoprune.data.class_words import classes_advice, classes_told
from autoprune.data.dataset import Dataset
from autoprune.errors import ModelError
from autoprune.evaluation.training_alone import WITHOUT


def check_scores(output: object, images: int, dataset: Dataset, when: str = "") -> None:
    """Raise ModelError unless an output has a score for every image and class.

    Args:
        when: of the pass, for the message, as in `` in training mode``.
    """
    classes = len(dataset.classes)
    if isinstance(output, torch.Tensor) and tuple(output.shape) == (images, classes):
        return
    advice = (
        "let its forward return them alone, without auxiliary outputs, as in a derived class with "
        f"def forward(self, x): return super().forward(x)[{_first(output)}]"
    )
    if isinstance(output, torch.Tensor):
        advice = f"{classes_told(dataset)}. {_of_tensor(output, images, dataset)}"
    raise ModelError(f"{_expected(output, images, dataset, when)}: {advice}")


def of_more_outputs(
    output: object, images: int, dataset: Dataset, training_alone: Sequence[str]
) -> str:
    """What to say of a network that puts out more than class scores in training mode alone.

    Args:
        training_alone: modules that run in training mode and not in evaluation mode.
    """
    heads = " and ".join(map(repr, training_alone))
    runs = f" In training mode alone runs {heads}, as auxiliary heads do." if heads else ""
    return (
        f"{_expected(output, images, dataset, ' in training mode')}.{runs} Finetune without "
        f"that: {WITHOUT}. Or finetune with it: with a task whose loss takes all outputs "
        "(--task), and --ignore for the layers whose channels it reads: 'autoprune check' with the "
        "task names them"
    )


def _expected(output: object, images: int, dataset: Dataset, when: str) -> str:
    got = type(output).__name__
    if isinstance(output, torch.Tensor):
        got = str(tuple(output.shape))
    elif isinstance(output, (tuple, list)):
        got += f" of {len(output)}"
    return (
        f"the model's output{when} for {images} images of {dataset.name} must be class scores "
        f"of shape {(images, len(dataset.classes))}, got {got}"
    )


def _first(output: object) -> str:
    return repr(next(iter(output), 0)) if isinstance(output, dict) else "0"


def _of_tensor(output: torch.Tensor, images: int, dataset: Dataset) -> str:
    if tuple(output.shape) in ((images,), (images, 1)):
        return classes_advice(1, dataset)
    needed = "The last layer needs as many outputs"
    if output.ndim == 2 and len(output) == images:
        return f"{needed}. {classes_advice(output.shape[1], dataset)}"
    return needed
