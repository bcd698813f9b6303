"""Small networks with data and tasks that are no image classification."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from autoprune.data.dataset import Dataset
from autoprune.data.loaders import materialise
from autoprune.data.task import Task


def mean_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).abs().mean()


REGRESSION = Task(loss=functional.mse_loss, metric=mean_error, direction="minimize")


def network(outputs: int = 2) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, outputs),
    ).eval()


def brightness(task: Task = REGRESSION, count: int = 100) -> Dataset:
    """Images and their mean and deviation."""
    images = torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images *= torch.linspace(0.5, 2.0, count)[:, None, None, None]
    targets = torch.stack([images.mean((1, 2, 3)), images.std((1, 2, 3))], 1)
    return materialise([(images[:70], targets[:70])], [(images[70:], targets[70:])], task=task)
