"""Batches whose order and augmentation are keyed, never drawn from a global generator.

The key is (job seed, stream, epoch or step) and nothing of the candidate: every schedule sees the
same batches (common random numbers), and a longer finetune begins like a shorter one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch

from autoprune.data.dataset import Dataset, SplitName
from autoprune.data.targets import Tree, take
from autoprune.evaluation.placement import CPU, follow, sent

Batch = tuple[torch.Tensor, Tree]
"""Images [B, C, H, W] as the network expects them, labels [B] or a task's targets."""

SCORING_BATCH = 250
TASK_BATCH = 64
"""Of a task's data: images that are no thumbnails, and outputs as large as they."""
SUBSET_SEED = 1


def derive_seed(*key: object) -> int:
    """A seed of 63 bits for this key, the same in every process."""
    digest = hashlib.sha256("/".join(str(part) for part in key).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def keyed_generator(*key: object) -> torch.Generator:
    """A generator of its own for this key."""
    return torch.Generator().manual_seed(derive_seed(*key))


@dataclass(frozen=True)
class TrainingBatches:
    """Endless shuffled batches of the training split.

    Args:
        batch_size: where the split is smaller, the whole split is a batch.
        stream: what the batches are for; streams are independent of each other.
        augment: apply the dataset's augmentation.
        device: where the batches are handed out; they are made on the CPU, alike for every device.
    """

    dataset: Dataset
    batch_size: int
    seed: int
    stream: str
    augment: bool = True
    device: torch.device = CPU

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch; images that do not fill a batch wait for the next shuffle."""
        return max(1, len(self.dataset.train) // self.batch_size)

    def first(self, count: int) -> Iterator[Batch]:
        """The first ``count`` batches, over as many epochs as that takes."""
        return islice(self._endless(), count)

    def epoch(self, number: int) -> Iterator[Batch]:
        """All batches of one epoch."""
        split = self.dataset.train
        order = torch.randperm(
            len(split), generator=keyed_generator(self.seed, self.stream, "order", number)
        )
        for position in range(self.per_epoch):
            index = order[position * self.batch_size : (position + 1) * self.batch_size]
            images = split.images[index]
            if self.augment:
                step = number * self.per_epoch + position
                generator = keyed_generator(self.seed, self.stream, "augmentation", step)
                images = self.dataset.augmentation.apply(images, generator)
            targets = follow(take(split.targets, index), self.device)
            yield sent(self.dataset.normalise(images), self.device), targets

    def _endless(self) -> Iterator[Batch]:
        number = 0
        while True:
            yield from self.epoch(number)
            number += 1


@dataclass(frozen=True)
class ScoringBatches:
    """A split's images in a fixed order, without augmentation; can be iterated again.

    Args:
        limit: how many images; 0 means all. A limited set holds the classes in proportion, where
            there are some.
        device: where the batches are handed out.
    """

    dataset: Dataset
    split: SplitName = "val"
    limit: int = 0
    batch_size: int = SCORING_BATCH
    device: torch.device = CPU

    def __iter__(self) -> Iterator[Batch]:
        chosen = self.dataset.split(self.split)
        if 0 < self.limit < len(chosen):
            order = self.dataset.order(self.split, SUBSET_SEED)
            chosen = chosen.take(order[: self.limit].sort().values)
        for start in range(0, len(chosen), self.batch_size):
            stop = min(start + self.batch_size, len(chosen))
            targets = follow(take(chosen.targets, torch.arange(start, stop)), self.device)
            images = self.dataset.normalise(chosen.images[start:stop])
            yield sent(images, self.device), targets
