"""What a network must put out: class scores, in evaluation and in training mode."""

from __future__ import annotations

import torch

from autoprune.data.class_words import classes_advice, classes_told
from autoprune.data.dataset import Dataset
from autoprune.errors import ModelError


def check_scores(output: object, images: int, dataset: Dataset, when: str = "") -> None:
    """Raise ModelError unless an output has a score for every image and class.

    Args:
        when: of the pass, for the message, as in `` in training mode``.
    """
    classes = len(dataset.classes)
    if isinstance(output, torch.Tensor) and tuple(output.shape) == (images, classes):
        return
    got = type(output).__name__
    advice = "let its forward return them alone, without auxiliary outputs"
    if isinstance(output, torch.Tensor):
        got = str(tuple(output.shape))
        advice = f"{classes_told(dataset)}. {_of_tensor(output, images, dataset)}"
    elif isinstance(output, (tuple, list)):
        got += f" of {len(output)}"
    raise ModelError(
        f"the model's output{when} for {images} images of {dataset.name} must be class scores "
        f"of shape {(images, classes)}, got {got}: {advice}"
    )


def _of_tensor(output: torch.Tensor, images: int, dataset: Dataset) -> str:
    if tuple(output.shape) in ((images,), (images, 1)):
        return classes_advice(1, dataset)
    needed = "The last layer needs as many outputs"
    if output.ndim == 2 and len(output) == images:
        return f"{needed}. {classes_advice(output.shape[1], dataset)}"
    return needed
