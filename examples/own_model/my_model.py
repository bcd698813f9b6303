"""A network of one's own, its data and its weights: everything a search needs, in one file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

WEIGHTS = Path(__file__).with_name("my_model.safetensors")


class Network(nn.Module):
    """Two branches that are concatenated, a residual connection, a classifier."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.near = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.far = nn.Sequential(nn.Conv2d(32, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU())
        self.inner = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU())
        self.outer = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64))
        self.classifier = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores [B, classes] of images [B, 1, 8, 8]."""
        x = self.stem(images)
        x = torch.cat([self.near(x), self.far(x)], dim=1)
        x = functional.relu(x + self.outer(self.inner(x)))
        return self.classifier(x.mean(dim=(2, 3)))


def network(num_classes: int) -> nn.Module:
    """What ``--model my_model.py:network`` calls."""
    return Network(num_classes)


def data() -> dict[str, DataLoader]:
    """What ``--data my_model.py:data`` calls: batches of (images, labels); test is optional."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 8.0 - 1.0
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    parts = order.split([1197, 300, 300])
    return {
        name: DataLoader(TensorDataset(images[part], labels[part]), batch_size=64)
        for name, part in zip(("train", "val", "test"), parts, strict=True)
    }


def main() -> None:
    """Train the network and write its weights."""
    torch.manual_seed(0)
    model = network(10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    for _ in range(8):
        for images, labels in data()["train"]:
            optimizer.zero_grad()
            functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
    save_file(model.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
