"""One step of gradient descent, as the short finetune and the full training take it."""

from __future__ import annotations

import math

import torch
from torch import nn

from autoprune.evaluation.losses import check_finite


def cosine(fraction: float) -> float:
    """1 at fraction 0, falling to 0 at fraction 1 (SGDR, arXiv 1608.03983, eq. 5)."""
    return 0.5 * (1.0 + math.cos(math.pi * fraction))


def make_optimizer(
    model: nn.Module, learning_rate: float, momentum: float, weight_decay: float
) -> torch.optim.SGD:
    """SGD with plain momentum; fused, as the default spends more time in Python than computing."""
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        fused=True,
    )
    if momentum:
        # The fused step takes buffers of all parameters or of none, and a layer that a step leaves
        # out has its first gradient later. From zero a buffer becomes the gradient, as without one.
        for parameter in model.parameters():
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def descend(
    optimizer: torch.optim.SGD, learning_rate: float, loss: torch.Tensor, step: int
) -> float:
    """Take one step down ``loss`` (scalar) and return its value.

    Raises:
        DivergedError: the loss is NaN or infinite; nothing was changed.
    """
    value = check_finite(loss, step)
    optimizer.param_groups[0]["lr"] = learning_rate
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return value
