"""Consumers make up for the inputs they lose: least squares on what the units left can tell.

The mean squared error of a layer's output under pruned inputs is least where each lost channel is
replaced by its best linear prediction from the kept ones (He, Zhang, Sun, arXiv 1707.06168, section
3.1, second step; there for single layers and every tap of a kernel, here with one prediction for
all taps, so that the second moments of the channels suffice and hold for every candidate).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from autoprune.pruning.space import Kept, SearchSpace
from autoprune.pruning.surgery import State, lost_inputs

Moments = Mapping[str, torch.Tensor]
"""Name of a weight -> mean of x xᵀ over images and positions, x what its layer reads; [C, C]."""

RIDGE = 1e-3
"""Added to the kept channels' second moments, as a fraction of their mean."""

SMALLEST = torch.finfo(torch.float32).tiny
"""Below it nothing arrives through the kept channels that float32 could tell from zero."""


def reconstruct(
    state: State, space: SearchSpace, kept: Kept, moments: Moments
) -> dict[str, torch.Tensor]:
    """``state``, still unpruned, with the weights that read pruned units fitted to those kept.

    Args:
        state: with the weights that ``moments`` were measured with.
        space: the groups.
        kept: what will be sliced.
        moments: of layers whose second dimension is what they read; others stay as they are.
    """
    fitted = dict(state)
    for name, lost in lost_inputs(space, kept).items():
        if name in moments:
            fitted[name] = _fitted(state[name].detach(), moments[name], lost)
    return fitted


def _fitted(weight: torch.Tensor, moments: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
    """Weight [out, C, ...] that adds what the lost channels gave through the kept ones."""
    stays = torch.ones(weight.shape[1], dtype=torch.bool)
    stays[lost] = False
    kept = stays.nonzero().reshape(-1)
    own = moments[kept][:, kept].double()
    strength = RIDGE * float(own.diagonal().mean())
    if strength < SMALLEST:
        return weight
    own.diagonal().add_(strength)
    mixed = moments[kept][:, lost].double()
    prediction = torch.cholesky_solve(mixed, torch.linalg.cholesky(own)).to(weight)
    gained = torch.einsum("kr,or...->ok...", prediction, weight[:, lost])
    return weight.index_add(1, kept.to(weight.device), gained)
