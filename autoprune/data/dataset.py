"""A dataset in memory: splits of fixed tensors, and the preprocessing that belongs to them."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch.nn import functional

from autoprune.data.split import Split
from autoprune.data.splitting import random_order, stratified_order
from autoprune.data.targets import digest_into
from autoprune.data.task import Task
from autoprune.errors import DataError

SplitName = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training images.

    Args:
        flip: mirror every second image (at random) left to right.
        crop_padding: pixels of zero padding around, before a random crop of the original size.
    """

    flip: bool = False
    crop_padding: int = 0

    def apply(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Augmented copy of ``images`` [N, C, H, W], each image on its own.

        Where nothing is augmented, ``images`` themselves, of any shape.
        """
        if not self.flip and not self.crop_padding:
            return images
        count, channels, height, width = images.shape
        mirrored = self._draw_mirrored(count, generator)
        if not self.crop_padding:
            return torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        # One gather for flip and crop together: a loop over the images takes twice as long.
        reach = 2 * self.crop_padding
        offsets = torch.randint(0, reach + 1, (2, count, 1), generator=generator)
        columns = torch.arange(width).expand(count, width)
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns) + offsets[1]
        rows = torch.arange(height) + offsets[0]
        pixels = rows[:, :, None] * (width + reach) + columns[:, None, :]
        padded = functional.pad(images, (self.crop_padding,) * 4).flatten(2)
        index = pixels.reshape(count, 1, -1).expand(count, channels, -1)
        return padded.gather(2, index).view(count, channels, height, width)

    def _draw_mirrored(self, count: int, generator: torch.Generator) -> torch.Tensor:
        if not self.flip:
            return torch.zeros(count, dtype=torch.bool)
        return torch.rand(count, generator=generator) < 0.5


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test images with the preprocessing a network expects.

    Args:
        name: as the user named it; not part of the digest.
        classes: names, indexed by label; of a task's data there may be none.
        mean, std: one per channel, of images in [0, 1] (uint8) or as they are (float32).
        augmentation: of training batches.
        val_carved: the validation split was taken out of the training images.
        task: what the targets mean, where they are no class numbers, and what for; None for
            classification. It is not part of the digest.
        layout: in memory, of the images [N, C, H, W] that a network is given on a CPU, and of its
            weights; :func:`~autoprune.evaluation.layout.laid_out` finds the one that fits the
            network. It is not part of the digest.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: Augmentation = Augmentation()
    val_carved: bool = False
    task: Task | None = None
    layout: torch.memory_format = torch.channels_last

    def __post_init__(self) -> None:
        if self.task is None and len(self.classes) < 2:
            raise DataError(
                f"{self.name}: a classifier needs at least two classes, got {list(self.classes)}"
            )
        for split_name, split in self.splits.items():
            self._check_split(split_name, split)
        channels = self.input_shape[0]
        if len(self.mean) != channels or len(self.std) != channels or min(self.std) <= 0:
            raise DataError(
                f"{self.name}: mean and std need {channels} values (one per channel), std above 0; "
                f"got mean {self.mean} and std {self.std}"
            )

    def _check_split(self, split_name: str, split: Split) -> None:
        shape = tuple(split.images.shape[1:])
        if shape != self.input_shape:
            raise DataError(
                f"{self.name}: the {split_name} images have shape {shape}, "
                f"the train images {self.input_shape}: all splits need one shape"
            )
        if self.task is None:
            self._check_labels(split_name, split)
        if split.images.is_floating_point():
            self._check_finite(split_name, split.images)

    def _check_labels(self, split_name: str, split: Split) -> None:
        if split.images.ndim != 4:
            raise DataError(
                f"{self.name}: the {split_name} images must have the shape [N, C, H, W], got "
                f"{list(split.images.shape)}; other inputs need a task, named with --task"
            )
        low, high = int(split.labels.min()), int(split.labels.max())
        if low < 0 or high >= len(self.classes):
            wrong = low if low < 0 else high
            raise DataError(
                f"{self.name}: the {split_name} split has label {wrong}, "
                f"labels must be in 0..{len(self.classes) - 1} ({len(self.classes)} classes, as "
                "the training labels have)"
            )
        if low == high and split_name != "test":
            raise DataError(
                f"{self.name}: all {len(split)} images of the {split_name} split have label {low}: "
                "expected images of several classes; shuffle before splitting"
            )

    def _check_finite(self, split_name: str, images: torch.Tensor) -> None:
        """A sum is not finite where a value is not, and needs no memory."""
        if math.isfinite(float(images.sum(dtype=torch.float64))):
            return
        wrong = int((~images.flatten(1).isfinite().all(1)).nonzero()[0])
        raise DataError(
            f"{self.name}: image {wrong} of the {split_name} split has values that are not finite "
            "(nan or inf): leave it out, or mend how it is normalised (a division by zero?)"
        )

    @property
    def splits(self) -> dict[str, Split]:
        """The splits there are, by name."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}

    def split(self, name: SplitName) -> Split:
        """The split of that name; raises DataError where there is none."""
        found = self.splits.get(name)
        if found is None:
            raise DataError(f"{self.name} has no {name} split; there is: {', '.join(self.splits)}")
        return found

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(C, H, W) of every image; a task's inputs may have other shapes."""
        return tuple(self.train.images.shape[1:])

    @cached_property
    def digest(self) -> str:
        """sha256 over images, targets, classes and preprocessing."""
        about = {
            "classes": self.classes,
            "mean": self.mean,
            "std": self.std,
            "augmentation": asdict(self.augmentation),
        }
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for name, split in self.splits.items():
            for tree in (split.images, split.targets):
                digest_into(digest, name, tree)
        return digest.hexdigest()

    def for_task(self, task: Task | None) -> Dataset:
        """The same data with what its targets are for; with its own task where None is given."""
        return self if task is None else replace(self, task=task)

    def in_layout(self, layout: torch.memory_format) -> Dataset:
        """The same data, whose images a network is given in that layout."""
        return self if layout == self.layout else replace(self, layout=layout)

    def order(self, split: SplitName, seed: int) -> torch.Tensor:
        """An order [N] of a split whose every prefix is like the whole: classes in proportion."""
        chosen = self.split(split)
        if self.task is None:
            return stratified_order(chosen.labels, seed)
        return random_order(len(chosen), seed)

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Images [n, C, H, W] as the network expects them: float32, in the dataset's layout."""
        scale, shift = self._affine(images)
        layout = self.layout if images.ndim == 4 else torch.preserve_format
        # A copy also where the images are float32 already: the split must never be written to.
        values = images.to(torch.float32, memory_format=layout, copy=True)
        return values.mul_(scale).add_(shift)

    def _affine(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (1, -1, *(1 for _ in images.shape[2:]))
        mean, std = (
            torch.tensor(value, dtype=torch.float64).view(shape) for value in (self.mean, self.std)
        )
        peak = 255.0 if images.dtype == torch.uint8 else 1.0
        return (1.0 / (peak * std)).float(), (-mean / std).float()
