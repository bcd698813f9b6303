"""Factories that a search has to refuse, each for a reason of its own."""

from __future__ import annotations

import torch
from tiny_net import WIDTH, TinyNet, network
from torch import Tensor, nn


def broken_inside(num_classes: int) -> nn.Module:
    """The second convolution wants one channel more than it gets."""
    model = TinyNet(num_classes)
    model.second[0] = nn.Conv2d(WIDTH + 1, WIDTH, 3, padding=1)
    return model


class Detached(nn.Module):
    """Its output does not depend on its layers, as far as autograd can see."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 10, 8)

    def forward(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self.layer(images).detach().numpy()).flatten(1)


def detached() -> nn.Module:
    return Detached()


class TwoOutputs(nn.Module):
    """Gives a tuple, no class scores."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 8, 3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.layer(images)
        return x, x


def two_outputs() -> nn.Module:
    return TwoOutputs()


def failing() -> nn.Module:
    raise RuntimeError("no weights on this machine")


def no_module() -> str:
    return "resnet20"


def without_batch_norm(num_classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 36, num_classes)
    )


def talking(num_classes: int) -> nn.Module:
    print("hello from the model")
    return network(num_classes)


def failing_metric(model: nn.Module, batches: object) -> float:
    return 1 / 0


class UnevenPool(nn.Module):
    """Pools 8x8 pixels to 3x3, which no ONNX operator does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(3)
        self.classifier = nn.Linear(32 * 9, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.pool(self.conv(images).relu()).flatten(1))


def uneven_pool() -> nn.Module:
    return UnevenPool()


class OnlyEvaluated(TinyNet):
    """Its forward pass refuses to train."""

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            raise RuntimeError("this network is only ever evaluated")
        return super().forward(images)


def breaks_in_training(num_classes: int) -> nn.Module:
    return OnlyEvaluated(num_classes)
