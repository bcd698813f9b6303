"""The CIFAR ResNets of He et al. 2016, section 4.2, with parameter-free shortcuts."""

from __future__ import annotations

import torch
from torch import nn

from autoprune.models.residual import initialise, stage


class CifarResNet(nn.Module):
    """6n + 2 layers: a stem, three stages of n blocks with widths 16, 32 and 64, a classifier.

    State-dict names: ``conv1, bn1, layer{1,2,3}.{block}.{conv1,bn1,conv2,bn2}, linear``.
    """

    def __init__(self, blocks: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(16, 16, blocks, stride=1)
        self.layer2 = stage(16, 32, blocks, stride=2)
        self.layer3 = stage(32, 64, blocks, stride=2)
        self.linear = nn.Linear(64, classes)
        initialise(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images [N, 3, 32, 32] -> logits [N, classes]."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        logits: torch.Tensor = self.linear(out.mean((2, 3)))
        return logits


def cifar_resnet(depth: int, classes: int) -> CifarResNet:
    """ResNet-``depth`` for CIFAR; depth is 6n + 2."""
    return CifarResNet((depth - 2) // 6, classes)
