"""Images in memory with what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from autoprune.data.targets import Tree, count_mismatch, describe, take
from autoprune.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their targets.

    Args:
        images: [N, C, H, W], uint8 in [0, 255] or float32; for a task also inputs of other shapes,
            [N, F] or [N, C, L].
        targets: [N] int64 class numbers; for a task any tree of N entries, see
            :mod:`autoprune.data.targets`.
    """

    images: torch.Tensor
    targets: Tree

    def __post_init__(self) -> None:
        if self.images.ndim < 2 or self.images.dtype not in (torch.uint8, torch.float32):
            raise DataError(
                "images must be uint8 or float32 of shape [N, C, H, W], got "
                f"{describe(self.images)}"
            )
        wrong = count_mismatch(self.targets, len(self.images))
        if wrong is not None:
            raise DataError(
                f"{len(self.images)} images need as many targets, one each, got {wrong}"
            )
        if not len(self.images):
            raise DataError("a split must hold at least one image")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> torch.Tensor:
        """The targets as class numbers, [N] int64; raises DataError where they are none."""
        labels = self.targets
        if (
            isinstance(labels, torch.Tensor)
            and labels.dtype == torch.int64
            and labels.shape == self.images.shape[:1]
        ):
            return labels
        raise DataError(
            f"labels must be int64 of shape [{len(self.images)}], got {describe(labels)}; say with "
            "--task what other targets mean"
        )

    def take(self, index: torch.Tensor) -> Split:
        """The images at ``index`` [n], in that order."""
        return Split(self.images[index], take(self.targets, index))
