"""The two-convolution residual block with a parameter-free shortcut."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from autoprune.models.channel_map import ChannelMap


class BasicBlock(nn.Module):
    """conv-bn-relu-conv-bn plus shortcut, then relu (He et al. 2016, figure 2, option A)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = ChannelMap.padded(in_channels, out_channels, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Input [N, in_channels, H, W] -> [N, out_channels, H / stride, W / stride]."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return torch.relu(out + self.shortcut(x))


def stage(in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
    """``blocks`` residual blocks of one width; the first one changes width and resolution."""
    widths = [in_channels] + [out_channels] * blocks
    return nn.Sequential(
        *(
            BasicBlock(before, after, stride if number == 0 else 1)
            for number, (before, after) in enumerate(pairwise(widths))
        )
    )


def initialise(model: nn.Module) -> None:
    """Convolution weights from a normal distribution scaled by fan-out (He et al. 2015)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
