"""Which layout in memory fits a network: channels last, or contiguous where that alone runs."""

from __future__ import annotations

import copy
from contextlib import suppress

import torch
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.data.targets import take
from autoprune.evaluation.modes import evaluating
from autoprune.evaluation.objective import objective_of
from autoprune.evaluation.placement import arranged

IMAGES = 2
"""Of one image, or of a single pixel, both layouts are the same."""
PASSES = 3


def laid_out(model: nn.Module, dataset: Dataset) -> Dataset:
    """The same data in the layout in memory that fits the network.

    A forward with ``x.view(len(x), -1)`` after a convolution needs contiguous images and weights.
    All others are trained channels last, which is faster. Whatever fails in both layouts is left
    to those who say what is wrong with it.

    Args:
        model: unpruned, on the CPU; left as it is. Pruned networks run the same code.
    """
    usual = _passes(model, dataset.in_layout(torch.channels_last))
    if usual < PASSES:
        contiguous = dataset.in_layout(torch.contiguous_format)
        if _passes(model, contiguous) > usual:
            return contiguous
    return dataset.in_layout(torch.channels_last)


def _passes(model: nn.Module, dataset: Dataset) -> int:
    """How many run through: the one in training mode, its gradients, the one in eval mode."""
    passed = 0
    objective = objective_of(dataset)
    targets = take(dataset.train.targets, torch.arange(min(IMAGES, len(dataset.train))))
    with suppress(Exception), isolated_randomness(0), torch.enable_grad():
        network = arranged(copy.deepcopy(model), dataset.layout).train()
        images = dataset.normalise(dataset.train.images[:IMAGES])
        outputs = objective.forward(network, images, targets)
        passed += 1
        objective.loss(outputs, targets).backward()  # type: ignore[no-untyped-call]
        passed += 1
    with suppress(Exception), isolated_randomness(0):
        network = arranged(copy.deepcopy(model), dataset.layout)
        with evaluating(network):
            images = dataset.normalise(dataset.train.images[:IMAGES])
            objective.judge(network, images, targets)
        passed += 1
    return passed
