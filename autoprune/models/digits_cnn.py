"""The embedded default: a small residual network for scikit-learn's 8x8 digits."""

from __future__ import annotations

import torch
from torch import nn

from autoprune.models.residual import initialise, stage

_WIDTHS = (24, 48, 96)
_BLOCKS = 2


class DigitsCnn(nn.Module):
    """A CIFAR ResNet scaled to 8x8 grey images: stages at 8x8, 8x8 and 4x4 pixels.

    Wide for its task, so that at batch 1 nearly all of its latency is convolution, as in the
    networks people prune; shallow enough to train in seconds on one core; and small enough that
    its weights stay in a core's cache, or operators measured alone would look too fast.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        first, second, third = _WIDTHS
        self.conv1 = nn.Conv2d(1, first, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.layer1 = stage(first, first, _BLOCKS, stride=1)
        self.layer2 = stage(first, second, _BLOCKS, stride=1)
        self.layer3 = stage(second, third, _BLOCKS, stride=2)
        self.linear = nn.Linear(third, classes)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images [N, 1, 8, 8] -> logits [N, classes]."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        logits: torch.Tensor = self.linear(out.mean((2, 3)))
        return logits
