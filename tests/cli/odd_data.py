"""Factories of data with something wrong in them, each for a reason of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from tiny_net import split_loaders
from torch import Tensor
from torch.nn import functional

Batch = tuple[Tensor, Tensor]
Splits = dict[str, list[Batch]]


def _splits() -> Splits:
    return {
        name: [(images, labels) for images, labels in loader]
        for name, loader in split_loaders().items()
    }


def _all(change: Callable[[Tensor, Tensor], Batch]) -> Splits:
    return {name: [change(*batch) for batch in split] for name, split in _splits().items()}


def _label(split: str, label: int) -> Splits:
    splits = _splits()
    splits[split][1][1][3] = label
    return splits


def _nan(split: str) -> Splits:
    splits = _splits()
    splits[split][1][0][3, 0, 2, 2] = float("nan")
    return splits


def without_channels() -> Splits:
    return _all(lambda images, labels: (images[:, 0], labels))


def channels_last() -> Splits:
    return _all(lambda images, labels: (images.permute(0, 2, 3, 1), labels))


def seven_classes() -> Splits:
    return _all(lambda images, labels: (images[labels < 7], labels[labels < 7]))


def seven_of_ten_classes() -> dict[str, object]:
    return {**seven_classes(), "classes": 10}


def classes_in_words() -> dict[str, object]:
    return {**seven_classes(), "classes": "ten"}


def one_hot() -> Splits:
    return _all(lambda images, labels: (images, functional.one_hot(labels, 10)))


def floating_labels() -> Splits:
    return _all(lambda images, labels: (images, labels.float()))


def named_labels() -> tuple[list[tuple[Tensor, str]], ...]:
    return ([(images[0], "cat") for images, _ in _splits()["train"]],)


def label_too_high_in_val() -> Splits:
    return _label("val", 10)


def label_too_high_in_train() -> Splits:
    return _label("train", 12)


def negative_label() -> Splits:
    return _label("train", -1)


def no_val_batches() -> Splits:
    return {**_splits(), "val": []}


def empty_val_batches() -> Splits:
    splits = _splits()
    return {**splits, "val": [(images[:0], labels[:0]) for images, labels in splits["val"]]}


def one_class() -> Splits:
    return _all(lambda images, labels: (images, torch.full_like(labels, 3)))


def one_class_in_val() -> Splits:
    splits = _splits()
    return {**splits, "val": [(images, torch.zeros_like(y)) for images, y in splits["val"]]}


def nan_in_train() -> Splits:
    return _nan("train")


def nan_in_val() -> Splits:
    return _nan("val")


def colour() -> Splits:
    return _all(lambda images, labels: (images.repeat(1, 3, 1, 1), labels))


def larger_in_val() -> Splits:
    splits = _splits()
    return {**splits, "val": [(images.repeat(1, 1, 2, 2), y) for images, y in splits["val"]]}


def larger_on_the_way() -> Splits:
    splits = _splits()
    images, labels = splits["train"][4]
    splits["train"][4] = (images.repeat(1, 1, 2, 2), labels)
    return splits


def failing() -> Splits:
    raise FileNotFoundError("no images in the folder")


def failing_on_the_way() -> dict[str, Iterator[Batch]]:
    def torn() -> Iterator[Batch]:
        yield from _splits()["train"][:2]
        raise OSError("image file is truncated")

    return {"train": torn()}


def with_arguments(folder: str, size: int, shuffle: bool = True) -> Splits:
    return _splits()


def with_defaults(folder: str = "here", *more: object, **options: object) -> Splits:
    return _splits()


def number() -> int:
    return 7
