"""Stratified orders and splits, the same in every process and version."""

from __future__ import annotations

import numpy as np
import torch

from autoprune.data.split import Split

CARVE_FRACTION = 0.1
CARVE_LIMIT = 5_000
CARVE_SEED = 2019


def stratified_order(labels: torch.Tensor, seed: int) -> torch.Tensor:
    """An order of all indices [N] whose every prefix holds the classes in proportion."""
    shuffled = random_order(len(labels), seed).numpy()
    classes = labels.numpy()[shuffled]
    position = np.empty(len(classes), dtype=np.float64)
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return torch.from_numpy(shuffled[np.argsort(position, kind="stable")])


def random_order(count: int, seed: int) -> torch.Tensor:
    """An order of all indices [count].

    numpy's RandomState is used because its stream is frozen across versions.
    """
    return torch.from_numpy(np.random.RandomState(seed).permutation(count))


def carve_validation(train: Split, *, stratified: bool = True) -> tuple[Split, Split]:
    """(train, val): a tenth of the training images, 5,000 at most, becomes the validation split.

    Args:
        stratified: whether the targets are class numbers, to be held in proportion.
    """
    count = min(CARVE_LIMIT, max(1, int(len(train) * CARVE_FRACTION)))
    if stratified:
        order = stratified_order(train.labels, CARVE_SEED)
    else:
        order = random_order(len(train), CARVE_SEED)
    taken, left = order[:count].sort().values, order[count:].sort().values
    return train.take(left), train.take(taken)
