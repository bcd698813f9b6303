"""Networks and schedules that the tests of pruning share."""

from __future__ import annotations

import torch
from torch import nn


def shaken(model: nn.Module, inputs: torch.Tensor) -> nn.Module:
    """Give every batch norm statistics and scales that differ from channel to channel."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for norm in norms:
            norm.weight.copy_(0.5 + torch.rand(norm.num_features, generator=generator))
            norm.bias.copy_(0.3 * torch.randn(norm.num_features, generator=generator))
            norm.train().momentum = 1.0
        model(inputs)
    for norm in norms:
        norm.eval().momentum = 0.1
    return model


class Grouped(nn.Module):
    """A grouped convolution, a concatenation, and a flatten over pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.norm = nn.BatchNorm2d(12)
        self.grouped = nn.Conv2d(12, 24, 3, padding=1, groups=3, bias=False)
        self.side = nn.Conv2d(12, 10, 1)
        self.pool = nn.MaxPool2d(4)
        self.merge = nn.Conv2d(24 + 10, 16, 1)
        self.hidden = nn.Linear(16 * 4, 20)
        self.head = nn.Linear(20, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.cat([self.grouped(x), torch.relu(self.side(x))], dim=1)
        x = torch.flatten(self.pool(torch.relu(self.merge(x))), 1)
        return self.head(torch.relu(self.hidden(x)))
