"""A network and data small enough to search in seconds, as a user's file would hold them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

WIDTH = 64


class TinyNet(nn.Module):
    """Three convolutions, of which all can be pruned, and a classifier."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH))
        self.second = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH))
        self.third = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH))
        self.classifier = nn.Linear(WIDTH, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(images).relu()
        x = self.second(x).relu()
        x = self.third(x).relu()
        return self.classifier(x.mean(dim=(2, 3)))


def network(num_classes: int = 10) -> nn.Module:
    """The same weights every time: none need to be given."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TinyNet(num_classes)


def narrow(num_classes: int = 10) -> nn.Module:
    """Another network: no table of the first prices it."""
    return nn.Sequential(
        nn.Conv2d(1, 24, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24 * 36, num_classes)
    )


def split_loaders() -> dict[str, DataLoader[tuple[Tensor, ...]]]:
    """Ten patterns under noise; batches of (images [B, 1, 8, 8], labels [B])."""
    random = torch.Generator().manual_seed(0)
    patterns = torch.randn(10, 1, 8, 8, generator=random)
    labels = torch.arange(500) % 10
    images = patterns[labels] + torch.randn(500, 1, 8, 8, generator=random)
    return {
        name: DataLoader(TensorDataset(images[part], labels[part]), batch_size=50)
        for name, part in (
            ("train", slice(0, 300)),
            ("val", slice(300, 400)),
            ("test", slice(400, 500)),
        )
    }
