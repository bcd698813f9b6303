"""The user's own loaders and datasets, turned once into fixed tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader

from autoprune.data.class_words import ONE_LOGIT, class_names
from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.data.split import Split
from autoprune.data.splitting import carve_validation
from autoprune.data.targets import Tree, describe, join
from autoprune.data.task import Task
from autoprune.data.task_items import pair_of_task
from autoprune.errors import DataError
from autoprune.user_code import raised

LOADER_SEED = 0
"""Loaders that shuffle or augment are read under this seed: a second reading is the same."""


def materialise(
    train: Any,
    val: Any = None,
    test: Any = None,
    name: str = "your data",
    classes: int | Sequence[str] | None = None,
    task: Task | None = None,
) -> Dataset:
    """Fixed tensors from loaders, iterables or map-style datasets of (images, labels).

    Items are batches (images [B, C, H, W], labels [B]) or single images ([C, H, W] and a number).
    Floating-point images are kept as they are: whatever transformation the loader applies is
    baked in, and no augmentation of ours is added. uint8 images are scaled to [0, 1].

    Args:
        train: read to its end, once.
        val: without it, a tenth of the training images becomes it.
        test: never read by a search.
        name: for messages.
        classes: their names or their number; by default numbers up to the largest training label.
        task: what the targets are for, which then may be of any kind:
            :func:`autoprune.data.task_items.pair_of_task`. None for class numbers.

    Raises:
        DataError: wrong shapes, labels out of range, an empty split, or fewer than two classes.
    """
    with isolated_randomness(LOADER_SEED):
        splits = {
            key: _collect(f"{name}, {key}", source, _reader(source, task))
            for key, source in (("train", train), ("val", val), ("test", test))
            if source is not None
        }
    if "train" not in splits:
        raise DataError(f"{name}: there is no training data")
    if classes is None and task is None:
        classes = int(splits["train"].labels.max()) + 1
    carved = "val" not in splits
    if carved:
        splits["train"], splits["val"] = carve_validation(splits["train"], stratified=task is None)
    channels = splits["train"].images.shape[1]
    return Dataset(
        name=name,
        classes=() if classes is None else class_names(name, classes),
        train=splits["train"],
        val=splits["val"],
        test=splits.get("test"),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        val_carved=carved,
        task=task,
    )


def _reader(source: Any, task: Task | None) -> Callable[[str, Any], tuple[torch.Tensor, Tree]]:
    """What takes an item of a source apart."""
    if task is None:
        return _pair
    batches = isinstance(source, DataLoader) and source.batch_sampler is not None
    return partial(pair_of_task, batches=batches)


def _collect(
    where: str, source: Any, read: Callable[[str, Any], tuple[torch.Tensor, Tree]]
) -> Split:
    images: list[torch.Tensor] = []
    targets: list[Tree] = []
    for number, item in enumerate(_read(where, source)):
        batch, target = read(f"{where}, item {number}", item)
        if not len(batch):
            continue
        if images and batch.shape[1:] != images[0].shape[1:]:
            raise DataError(
                f"{where}, item {number}: images have shape {list(batch.shape[1:])}, those before "
                f"{list(images[0].shape[1:])}: all need one shape"
            )
        images.append(batch)
        targets.append(target)
    if not images:
        raise DataError(f"{where}: the loader is empty, expected at least one image")
    try:
        return Split(torch.cat(images), join(targets))
    except ValueError as error:
        raise DataError(
            f"{where}: the targets of its items do not fit together: {error}. Where they differ "
            "in size from image to image, give each item's as a list with one entry an image"
        ) from error


def _read(where: str, source: Any) -> Iterator[Any]:
    """The items, one after the other; what the user's code raises on the way is told with where."""
    number = 0
    try:
        for item in _items(where, source):
            yield item
            number += 1
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{where}, item {number}: reading it failed with {raised(error)}"
        ) from error


def _items(where: str, source: Any) -> Iterator[Any]:
    if isinstance(source, Iterable):
        return iter(source)
    if hasattr(source, "__getitem__") and hasattr(source, "__len__"):
        return (source[position] for position in range(len(source)))
    raise DataError(
        f"{where}: expected a DataLoader, a dataset or an iterable of (images, labels), "
        f"got {type(source).__name__}"
    )


def _pair(where: str, item: Any) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise DataError(f"{where}: expected (images, labels), got {describe(item)}")
    images, labels = item
    if not isinstance(images, torch.Tensor) or images.ndim not in (3, 4):
        raise DataError(
            f"{where}: images must be a tensor [B, C, H, W] or [C, H, W], got {describe(images)}"
        )
    labels = _numbers(where, labels)
    if images.ndim == 3 and labels.shape == images.shape[:1] and len(labels) > 1:
        raise DataError(
            f"{where}: images of shape {list(images.shape)} with {len(labels)} labels are a batch "
            "without channels, expected [B, C, H, W]: add the channel with images.unsqueeze(1)"
        )
    images = images.detach().cpu().reshape(-1, *images.shape[-3:])
    if images.dtype != torch.uint8:
        images = images.to(torch.float32)
    if labels.numel() != len(images):
        hint = ": one-hot labels become numbers with labels.argmax(1)" if labels.ndim > 1 else ""
        raise _not_numbers(where, len(images), item[1], hint)
    if labels.is_floating_point():
        raise _not_numbers(where, len(images), item[1], _of_floats(labels))
    return images.clone(), labels.reshape(-1).to(torch.int64)


def _numbers(where: str, labels: Any) -> torch.Tensor:
    try:
        return torch.as_tensor(labels).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{where}: labels must be class numbers (integers), got {describe(labels)} ({error})"
        ) from error


def _of_floats(labels: torch.Tensor) -> str:
    """What to do with labels that are floats: those of a binary loss are 0.0 and 1.0."""
    hint = ": convert them with labels.long()"
    return f"{hint}. {ONE_LOGIT}" if bool(((labels == 0) | (labels == 1)).all()) else hint


def _not_numbers(where: str, count: int, got: Any, hint: str) -> DataError:
    return DataError(
        f"{where}: expected {count} class numbers (integers), got {describe(got)}{hint}. Other "
        "targets need a task, named with --task"
    )
