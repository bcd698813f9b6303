"""Running statistics of a pruned network, measured anew (EagleEye, arXiv 2007.02491)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from autoprune.evaluation.batches import Batch
from autoprune.evaluation.objective import CLASSES, Objective


def recalibrate(model: nn.Module, batches: Iterable[Batch], objective: Objective = CLASSES) -> None:
    """Replace the running statistics by their average over ``batches``; leaves eval mode on.

    The statistics are reset, and averaged cumulatively over forward passes without gradients. Only
    batch and instance norms are in training mode: dropout would distort what is measured, as it is
    off when the network is used. A norm that the model keeps in evaluation mode while it trains
    keeps its statistics: the weights were trained beside them.
    """
    model.train()
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _NormBase) and module.track_running_stats and module.training
    ]
    model.eval()
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    try:
        with torch.no_grad():
            for count, (images, targets) in enumerate(batches, 1):
                for norm in norms:
                    norm.momentum = None if isinstance(norm, _BatchNorm) else 1 / count
                objective.judge(model, images, targets)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
