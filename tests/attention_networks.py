"""Small transformers of torchvision, timm and torch itself, whose attention the tests replace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm_attention import TimmVit
from torch import nn

from autoprune.torchvision_import import torchvision

CLASSES = 5


def vit(**options: Any) -> nn.Module:
    sizes = {"image_size": 16, "patch_size": 4, "num_layers": 2, "num_heads": 4, "hidden_dim": 32}
    return torchvision().models.VisionTransformer(
        **{**sizes, "mlp_dim": 48, "num_classes": CLASSES, "attention_dropout": 0.1, **options}
    )


def swin(**options: Any) -> nn.Module:
    sizes = {"patch_size": [4, 4], "embed_dim": 24, "depths": [2, 2], "num_heads": [3, 6]}
    return torchvision().models.SwinTransformer(
        **{**sizes, "window_size": [4, 4], "num_classes": CLASSES, "attention_dropout": 0.1},
        **options,
    )


def swin_v2() -> nn.Module:
    parts = torchvision().models.swin_transformer
    return swin(block=parts.SwinTransformerBlockV2, downsample_layer=parts.PatchMergingV2)


def maxvit() -> nn.Module:
    return torchvision().models.MaxVit(
        input_size=(64, 64), stem_channels=8, partition_size=4, block_channels=[16, 32],
        block_layers=[1, 1], head_dim=8, stochastic_depth_prob=0.0, num_classes=CLASSES,
    )  # fmt: skip


class LengthFirst(nn.Module):
    """Attention over [length, images, features], with a mask, weights and a second source."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 12)
        self.own = nn.MultiheadAttention(12, 3, bias=False)
        self.other = nn.MultiheadAttention(12, 2)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x).transpose(0, 1)
        length, images, _ = x.shape
        causal = torch.ones(length, length, dtype=torch.bool).triu(1)
        padding = torch.zeros(images, length).index_fill(1, torch.tensor([0, 1]), -1.5)
        x = x + self.own(x, x, x, attn_mask=causal)[0]
        memory = x[:3]
        x = x + self.other(x, memory, memory, padding[:, :3], need_weights=False)[0]
        return self.head(x.mean(0))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "vit": (vit, (2, 3, 16, 16)),
    "swin": (swin, (2, 3, 36, 44)),
    "swin_v2": (swin_v2, (2, 3, 36, 44)),
    "maxvit": (maxvit, (2, 3, 64, 64)),
    "timm_vit": (lambda: TimmVit(CLASSES), (2, 3, 16, 16)),
    "length_first": (LengthFirst, (2, 7, 6)),
}


def network(name: str) -> tuple[nn.Module, torch.Tensor]:
    """An untrained network in eval mode, none of whose tensors is zero, and inputs for it."""
    build, shape = NETWORKS[name]
    torch.manual_seed(0)
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1 or not parameter.any():
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model, torch.randn(shape)


class Attending(nn.Module):
    """A user's network on images [N, 1, 8, 8], with nothing but heads to prune."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 32, 2, 2)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.head = nn.Linear(32, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(nn.functional.layer_norm(x, (32,)).mean(1))


def attending(num_classes: int = 10) -> nn.Module:
    """The same weights every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Attending(num_classes)
