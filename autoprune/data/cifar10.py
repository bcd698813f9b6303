"""CIFAR-10 as torchvision finds it on disk."""

from __future__ import annotations

from pathlib import Path

import torch

from autoprune.data.dataset import Augmentation, Dataset
from autoprune.data.source import Source
from autoprune.data.split import Split
from autoprune.data.splitting import carve_validation
from autoprune.errors import DataError
from autoprune.torchvision_import import torchvision

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)


def load_cifar10(source: Source) -> Dataset:
    """``cifar10:ROOT``: validation is 5,000 of the training images, as CIFAR-10 brings none.

    Options ``mean`` and ``std`` give the normalisation a network was trained with.
    """
    source.check_options("mean", "std")
    root = source.folder()
    train, classes = _read(root, train=True)
    test, _ = _read(root, train=False)
    train, val = carve_validation(train)
    return Dataset(
        name=source.name,
        classes=classes,
        train=train,
        val=val,
        test=test,
        mean=source.numbers("mean", MEAN),
        std=source.numbers("std", STD),
        augmentation=Augmentation(flip=True, crop_padding=4),
        val_carved=True,
    )


def _read(root: Path, *, train: bool) -> tuple[Split, tuple[str, ...]]:
    try:
        found = torchvision().datasets.CIFAR10(str(root), train=train, download=False)
    except RuntimeError as error:
        raise DataError(
            f"no CIFAR-10 under {root} ({error}): expected {root}/cifar-10-batches-py, "
            "unpacked from cifar-10-python.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html"
        ) from None
    images = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
    return Split(images, torch.tensor(found.targets)), tuple(found.classes)
