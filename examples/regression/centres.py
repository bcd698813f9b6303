"""A regression: where the ink of a digit lies. Network, data, task and training in one file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import autoprune

WEIGHTS = Path(__file__).with_name("centres.safetensors")
SIZE = 8


def network() -> nn.Module:
    """What ``--model centres.py:network`` calls."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, stride=2),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 16, 2),
    )


def data() -> dict[str, DataLoader]:
    """What ``--data centres.py:data`` calls: batches of (images, [B, 2] row and column)."""
    images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 16.0
    places = torch.arange(SIZE, dtype=torch.float32)
    ink = images.sum((1, 2, 3))
    rows = (images.sum((1, 3)) * places).sum(1) / ink
    columns = (images.sum((1, 2)) * places).sum(1) / ink
    centres = torch.stack([rows, columns], dim=1) - SIZE / 2
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return {
        name: DataLoader(TensorDataset(images[part], centres[part]), batch_size=64)
        for name, part in zip(("train", "val", "test"), order.split([1197, 300, 300]), strict=True)
    }


def pixels_off(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean distance between the centre that was said and the one that is."""
    return (outputs - targets).norm(dim=1).mean()


task = autoprune.Task(loss=functional.mse_loss, metric=pixels_off, direction="minimize")
"""What ``--task centres.py:task`` names."""


def main() -> None:
    """Train the network and write its weights."""
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    for _ in range(8):
        for images, centres in data()["train"]:
            optimizer.zero_grad()
            task.loss(model(images), centres).backward()
            optimizer.step()
    save_file(model.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
