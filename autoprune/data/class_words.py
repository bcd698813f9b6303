"""Classes as they are given, and where their number came from, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoprune.data.dataset import Dataset
from autoprune.errors import DataError

_SHOWN = 4
ONE_LOGIT = (
    "A classifier with one logit for two classes is a task (docs/tasks.md#one-logit): write "
    "task = autoprune.Task(loss=lambda outputs, labels: "
    "torch.nn.functional.binary_cross_entropy_with_logits(outputs.flatten(), "
    "labels.flatten().float())) into the model's file, and name it with --task FILE.py:task, or as "
    "task=task in Python"
)
"""The exact words: with them labels may be [N] or [N, 1], whole numbers or floats."""


def class_names(where: str, classes: Any) -> tuple[str, ...]:
    """Names of classes that are given by their number or by name.

    Raises:
        DataError: neither; says what came.
    """
    if isinstance(classes, int) and not isinstance(classes, bool):
        return tuple(map(str, range(classes)))
    if isinstance(classes, Sequence) and not isinstance(classes, str):
        return tuple(map(str, classes))
    raise DataError(f"{where}: classes must be their number or a list of names, got {classes!r}")


def classes_told(dataset: Dataset) -> str:
    """How many classes there are, and that the data says so."""
    names = dataset.classes
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return (
        f"num_classes is {len(names)} (labels up to {len(names) - 1}), as the data "
        f"{dataset.name} has it: {shown}"
    )


def classes_advice(outputs: int, dataset: Dataset) -> str:
    """What helps where a classifier has another number of outputs."""
    if outputs == 1 and len(dataset.classes) == 2:
        return f"{ONE_LOGIT}. Or let its last layer have two outputs"
    if outputs == 1:
        return (
            "One output is no classifier of so many classes: take num_classes in the model's "
            "factory, or say with a task what its output is (docs/tasks.md)"
        )
    return (
        f"If {outputs} is right, training images of some classes are missing (a class folder?): "
        f"add them, or say how many there are with 'classes': {outputs} in the dict of the data's "
        f"factory, or autoprune.search(..., classes={outputs}). If not, check the labels, and take "
        "num_classes in the model's factory"
    )
