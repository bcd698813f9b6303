"""What weights or a model are blamed for, though the data is the cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autoprune.data.class_words import classes_advice, classes_told
from autoprune.data.dataset import Dataset
from autoprune.errors import DataError, ModelError, WeightsError

_CHANNELS = (1, 3)
"""Of images; a channel count that is also a height is no image's."""
_WANT_INTEGERS = (
    "scalar types: Long, Int; but got torch.FloatTensor",
    "used as indices must be long",
    "applicable to index tensor",
)
"""What torch says of floats in an embedding, in square brackets, in a one_hot."""


@contextmanager
def told_by_cause(dataset: Dataset | None) -> Iterator[None]:
    """Inside, an error of weights or model that comes of the data says so.

    Nothing is refused by the look of the data alone: a model may take images of that layout.

    Args:
        dataset: None where there is none to be the cause.

    Raises:
        DataError: the images have their channels last.
        ModelError: the model takes whole numbers, as token ids are.
        WeightsError: the weights' classifier is of another number of classes.
    """
    try:
        yield
    except (ModelError, WeightsError) as error:
        if dataset is None:
            raise
        if _has_channels_last(dataset):
            raise DataError(_of_layout(dataset, error)) from error
        outputs = _outputs_of_weights(error, dataset)
        if outputs is not None:
            raise WeightsError(_of_classes(dataset, outputs, error)) from error
        if any(words in str(error) for words in _WANT_INTEGERS):
            raise ModelError(_of_integers(error)) from error
        raise


def _has_channels_last(dataset: Dataset) -> bool:
    shape = dataset.input_shape
    return len(shape) == 3 and shape[-1] in _CHANNELS and shape[0] not in _CHANNELS


def _of_layout(dataset: Dataset, error: Exception) -> str:
    height, width, channels = dataset.input_shape
    return (
        f"{dataset.name}: your data looks like N,H,W,C (images of shape "
        f"{(height, width, channels)}), expected N,C,H,W, here {(channels, height, width)}: turn "
        f"the images with images.permute(0, 3, 1, 2). What it stopped at: {error}"
    )


def _of_integers(error: Exception) -> str:
    return (
        f"{error}. Networks are given floating-point inputs here, also where the data holds whole "
        "numbers, as token ids: write .long() in the forward before what looks them up, and name "
        "with part= of a task the submodule behind it, which is pruned and measured: see "
        "docs/tasks.md"
    )


def _outputs_of_weights(error: Exception, dataset: Dataset) -> int | None:
    """Outputs of the weights' classifier, where nothing but their number does not fit."""
    classes = len(dataset.classes)
    if not isinstance(error, WeightsError) or not classes or not error.shapes:
        return None
    found = {
        got[0]
        for expected, got in error.shapes.values()
        if expected and got and expected[0] == classes and expected[1:] == got[1:]
    }
    fit = len(found) == 1 and all(e[:1] == (classes,) for e, _ in error.shapes.values())
    return found.pop() if fit else None


def _of_classes(dataset: Dataset, outputs: int, error: Exception) -> str:
    return (
        f"{error}. What does not fit is the number of outputs alone: the weights have {outputs}, "
        f"{classes_told(dataset)}. {classes_advice(outputs, dataset)}"
    )
