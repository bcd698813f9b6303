"""A segmentation: discs and squares in noise, by torchvision's LR-ASPP. All of it in one file."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import autoprune

# As torchvision, also where its compiled operators do not fit to torch: none is needed here.
from autoprune.torchvision_import import torchvision

WEIGHTS = Path(__file__).with_name("shapes.safetensors")
SIZE = 64
KINDS = 3  # nothing, disc, square


def network() -> nn.Module:
    """What ``--model shapes.py:network`` calls; it returns {"out": [B, 3, H, W]}."""
    make = torchvision().models.segmentation.lraspp_mobilenet_v3_large
    return make(weights=None, weights_backbone=None, num_classes=KINDS)


def data() -> dict[str, DataLoader]:
    """What ``--data shapes.py:data`` calls: batches of (images, masks [B, H, W])."""
    random = torch.Generator().manual_seed(0)
    sizes = {"train": 192, "val": 64, "test": 64}
    return {name: DataLoader(_draw(count, random), batch_size=16) for name, count in sizes.items()}


def _draw(count: int, random: torch.Generator) -> TensorDataset:
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    masks = torch.zeros(count, SIZE, SIZE, dtype=torch.int64)
    for mask in masks:
        for kind in (1, 2):
            row, column = torch.randint(12, SIZE - 12, (2,), generator=random).tolist()
            down, across = (rows - row).abs(), (columns - column).abs()
            inside = down**2 + across**2 < 100 if kind == 1 else torch.maximum(down, across) < 9
            mask[inside] = kind
    colours = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.3, 0.3], [0.3, 0.3, 1.0]])
    images = colours[masks].permute(0, 3, 1, 2)
    return TensorDataset(images + 0.5 * torch.randn(images.shape, generator=random), masks)


def loss(outputs: dict[str, Tensor], masks: Tensor) -> Tensor:
    """Mean cross-entropy of the pixels."""
    return functional.cross_entropy(outputs["out"], masks)


def distillation(outputs: dict[str, Tensor], unpruned: dict[str, Tensor]) -> Tensor:
    """How far the pixels' probabilities are from the unpruned network's."""
    logs = [functional.log_softmax(each["out"], 1) for each in (outputs, unpruned)]
    return functional.kl_div(*logs, reduction="none", log_target=True).sum(1).mean()


def mean_iou(outputs: dict[str, Tensor], masks: Tensor) -> float:
    """Intersection over union, of all pixels of the split, averaged over what there is to see."""
    found = outputs["out"].argmax(1)
    shares = []
    for kind in range(KINDS):
        union = ((found == kind) | (masks == kind)).sum()
        shares.append(float(((found == kind) & (masks == kind)).sum() / union.clamp(min=1)))
    return sum(shares) / KINDS


task = autoprune.Task(
    loss=loss, metric=mean_iou, direction="maximize", pooled=True, distillation=distillation
)
"""What ``--task shapes.py:task`` names."""


def main() -> None:
    """Train the network and write its weights."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # images so small are slower on several
    model = network()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1  # torchvision's 0.01 needs hundreds of steps
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(2):
        for images, masks in data()["train"]:
            optimizer.zero_grad()
            loss(model(images), masks).backward()
            optimizer.step()
    save_file(model.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
