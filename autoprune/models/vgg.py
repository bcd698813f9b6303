"""VGG-16 with batch normalisation for 32x32 images."""

from __future__ import annotations

import torch
from torch import nn

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class Vgg16Bn(nn.Module):
    """Configuration D of Simonyan and Zisserman 2015, batch-normalised, with one linear layer.

    Five poolings bring 32x32 pixels to 1x1, so the classifier sees 512 features.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, convs in _STAGES:
            for _ in range(convs):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
                layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images [N, 3, 32, 32] -> logits [N, classes]."""
        logits: torch.Tensor = self.classifier(torch.flatten(self.features(x), 1))
        return logits
