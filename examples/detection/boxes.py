"""A detector: its backbone is pruned, its losses judge it. All of it in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import autoprune

# As torchvision, also where its compiled operators do not fit to torch: the losses need none.
from autoprune.torchvision_import import torchvision

WEIGHTS = Path(__file__).with_name("boxes.safetensors")
SIZE = 64
KINDS = 3  # background, red, blue


def block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A convolution with its batch norm."""
    layers = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    return nn.Sequential(*layers, nn.ReLU())


class Backbone(nn.Module):
    """Features at an eighth and a sixteenth of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Sequential(block(3, 32, 2), block(32, 64, 2), block(64, 64, 2))
        self.far = nn.Sequential(block(64, 64, 2), block(64, 64, 1))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """What this returns goes to the heads, and so keeps its channels."""
        near = self.near(images)
        return {"near": near, "far": self.far(near)}


def network() -> nn.Module:
    """What ``--model boxes.py:network`` calls."""
    detection = torchvision().models.detection
    anchors = detection.anchor_utils.DefaultBoxGenerator([[1], [1]], scales=[0.25, 0.4, 0.6])
    return detection.ssd.SSD(
        Backbone(), anchors, (SIZE, SIZE), KINDS, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


class Boxes(Dataset):
    """Images with one to three boxes each, and the targets that torchvision's detectors take."""

    def __init__(self, count: int, seed: int) -> None:
        self._seeds = range(seed, seed + count)

    def __len__(self) -> int:
        return len(self._seeds)

    def __getitem__(self, position: int) -> tuple[Tensor, dict[str, Tensor]]:
        random = torch.Generator().manual_seed(self._seeds[position])
        image, boxes, labels = 0.4 * torch.rand(3, SIZE, SIZE, generator=random), [], []
        for left in range(0, SIZE, SIZE // 3)[: int(torch.randint(1, 4, (), generator=random))]:
            side = int(torch.randint(12, 20, (), generator=random))
            top = int(torch.randint(0, SIZE - side, (), generator=random))
            kind = int(torch.randint(1, KINDS, (), generator=random))
            image[0 if kind == 1 else 2, top : top + side, left : left + side] += 0.6
            boxes.append([left, top, min(left + side, SIZE), top + side])
            labels.append(kind)
        return image, {"boxes": torch.tensor(boxes).float(), "labels": torch.tensor(labels)}


def side_by_side(items: list[tuple[Tensor, Any]]) -> tuple[tuple[Any, ...], ...]:
    """A batch as torchvision's detectors have it: images, and as many targets."""
    return tuple(zip(*items, strict=True))


def data() -> dict[str, DataLoader]:
    """What ``--data boxes.py:data`` calls."""
    sizes = {"train": (160, 0), "val": (64, 1000), "test": (64, 2000)}
    return {
        name: DataLoader(Boxes(*size), batch_size=16, collate_fn=side_by_side)
        for name, size in sizes.items()
    }


def batch(images: Tensor, targets: list[dict[str, Tensor]]) -> tuple[Any, ...]:
    """What the detector is called with."""
    return list(images), targets


def loss(losses: dict[str, Tensor], _targets: Any) -> Tensor:
    """In training mode torchvision's detectors return their losses."""
    return torch.stack(list(losses.values())).sum()


task = autoprune.Task(loss=loss, batch=batch, part="backbone", loss_in_training_mode=True)
"""What ``--task boxes.py:task`` names."""


def main() -> None:
    """Train the detector and write its weights."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # images so small are slower on several
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(6):
        for images, targets in data()["train"]:
            optimizer.zero_grad()
            loss(model(*batch(images, targets)), targets).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
    save_file(model.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
