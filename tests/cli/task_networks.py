"""A tiny segmentation that returns a dict, and a tiny detector of torchvision's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import autoprune
from autoprune.torchvision_import import torchvision

Splits = dict[str, list[tuple[Any, Any]]]


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Segmenter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = _block(3, 32, 2)
        self.inner = _block(32, 32, 1)
        self.head, self.edge = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 1, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = functional.interpolate(self.inner(self.down(images)), scale_factor=2)
        size = images.shape[-2:]
        edge = functional.interpolate(self.edge(features), size=size, mode="bilinear")
        return {"out": self.head(features), "edge": edge}


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Sequential(_block(3, 32, 2), _block(32, 32, 2))
        self.far = nn.Sequential(_block(32, 32, 2), _block(32, 32, 1))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        near = self.near(images)
        return {"near": near, "far": self.far(near)}


def segmenter() -> nn.Module:
    return _seeded(Segmenter)


def detector() -> nn.Module:
    """It resizes images of 24 pixels to 32."""
    detection = torchvision().models.detection
    anchors = detection.anchor_utils.DefaultBoxGenerator([[1], [1]], scales=[0.3, 0.5, 0.7])
    half = [0.5] * 3
    return _seeded(
        lambda: detection.ssd.SSD(Backbone(), anchors, (32, 32), 3, image_mean=half, image_std=half)
    )


def of_features() -> nn.Module:
    sizes = ((12, 64), (64, 64), (64, 1))
    return _seeded(
        lambda: nn.Sequential(
            *(nn.Sequential(nn.Linear(*size), nn.ReLU()) for size in sizes[:-1]),
            nn.Linear(*sizes[-1]),
        )
    )


def of_sequences() -> nn.Module:
    return _seeded(
        lambda: nn.Sequential(
            *(nn.Conv1d(4, 64, 3, padding=1), nn.BatchNorm1d(64), nn.ReLU()),
            *(nn.Conv1d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 8, 1)),
        )
    )


def features() -> dict[str, DataLoader[Any]]:
    return _loaders(12)


def sequences() -> dict[str, DataLoader[Any]]:
    return _loaders(4, 10)


def _loaders(*shape: int) -> dict[str, DataLoader[Any]]:
    inputs = torch.randn(120, *shape, generator=torch.Generator().manual_seed(0))
    sums = inputs.flatten(1).sum(1, keepdim=True)
    return {
        name: DataLoader(TensorDataset(inputs[part], sums[part]), batch_size=20)
        for name, part in (("train", slice(0, 80)), ("val", slice(80, 120)))
    }


def _seeded(make: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def masks() -> Splits:
    random = torch.Generator().manual_seed(0)
    batches = {}
    for name, count in (("train", 4), ("val", 2), ("test", 1)):
        images = torch.rand(count, 16, 3, 16, 16, generator=random)
        batches[name] = [(batch, (batch.mean(1) > 0.5).long()) for batch in images]
    return batches


def boxes() -> Splits:
    """Batches as a detector's collate_fn leaves them: a tuple of images, a tuple of targets."""
    random = torch.Generator().manual_seed(0)
    return {
        name: [_boxed(torch.rand(8, 3, 24, 24, generator=random)) for _ in range(count)]
        for name, count in (("train", 4), ("val", 2))
    }


def _boxed(images: Tensor) -> tuple[tuple[Tensor, ...], tuple[dict[str, Tensor], ...]]:
    targets = []
    for number, image in enumerate(images):
        image[number % 2, 4:14, 6:18] = 2.0
        found = torch.tensor([[6.0, 4.0, 18.0, 14.0]]).repeat(1 + number % 2, 1)
        targets.append({"boxes": found, "labels": torch.full((len(found),), 1 + number % 2)})
    return tuple(images), tuple(targets)


def pixel_loss(outputs: dict[str, Tensor], masks: Tensor) -> Tensor:
    edges = functional.binary_cross_entropy_with_logits(outputs["edge"][:, 0], masks.float())
    return functional.cross_entropy(outputs["out"], masks) + 0.1 * edges


def pixels_right(outputs: dict[str, Tensor], masks: Tensor) -> Tensor:
    return (outputs["out"].argmax(1) == masks).float().mean()


def sum_of_losses(losses: dict[str, Tensor], _targets: Any) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def as_lists(images: Tensor, targets: Any) -> tuple[Any, ...]:
    return list(images), targets


segmentation = autoprune.Task(
    loss=pixel_loss, metric=pixels_right, direction="maximize", pooled=True
)
regression = autoprune.Task(loss=functional.mse_loss)
detection = autoprune.Task(
    loss=sum_of_losses, batch=as_lists, part="backbone", loss_in_training_mode=True
)


def _detection(**changes: Any) -> autoprune.Task:
    given = {"loss": sum_of_losses, "batch": as_lists, "part": "backbone"}
    return autoprune.Task(**{**given, "loss_in_training_mode": True, **changes})


no_part = _detection(part="body")
part_of_features = _detection(part="anchor_generator")
whole_detector = _detection(part="")
