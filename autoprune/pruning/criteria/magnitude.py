"""Criteria that look at the size of weights; docs/algorithms/criteria.md has their sources.

A filter is what makes one output channel of one producer. What is said of filters is summed over
those of a unit: over tied producers, and over its channels where convolutions are grouped.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from autoprune.pruning.criteria.contract import FloatArray, State
from autoprune.pruning.criteria.weights import (
    PRODUCERS_AND_CONSUMERS,
    per_filter,
    per_unit,
    total,
    weights_of,
)
from autoprune.pruning.space import PruningGroup, SearchSpace


def unit_norms(state: State, space: SearchSpace) -> dict[str, FloatArray]:
    """Squared L2 norm of each unit's filters, summed over tied producers; group -> [units].

    Biases and depthwise filters are not counted (LeGR, arXiv 1904.12368, section 3.1).
    """
    return {group.name: l2(state, group) for group in space.groups}


def l1(state: State, group: PruningGroup) -> FloatArray:
    """Sum of the sizes of the weights (arXiv 1608.08710, section 3.1); also named sum_abs."""
    return _summed(state, group, torch.abs)


def l2(state: State, group: PruningGroup) -> FloatArray:
    """Sum of the squared weights."""
    return _summed(state, group, torch.square)


def size_of_sum(state: State, group: PruningGroup) -> FloatArray:
    """Size of the sum of each filter's weights: its answer to a constant input."""
    weights = weights_of(state, group)
    return total(
        group.units, (per_unit(per_filter(weight, at).abs(), at) for weight, at in weights)
    )


def size_of_mean(state: State, group: PruningGroup) -> FloatArray:
    """Size of the mean of each filter's weights: small kernels weigh as much as large ones."""
    weights = weights_of(state, group)
    return total(
        group.units,
        (
            per_unit(per_filter(weight, at).abs(), at) * weight.shape[at.dim] / weight.numel()
            for weight, at in weights
        ),
    )


def mean_of_sizes(state: State, group: PruningGroup) -> FloatArray:
    """Mean size of each filter's weights."""
    weights = weights_of(state, group)
    return total(
        group.units,
        (
            per_unit(per_filter(weight.abs(), at), at) * weight.shape[at.dim] / weight.numel()
            for weight, at in weights
        ),
    )


def group_lasso(state: State, group: PruningGroup) -> FloatArray:
    """L2 norm over all weights of a unit together, in its producers and in its consumers.

    DepGraph, arXiv 2301.12900, section 3.2.
    """
    weights = weights_of(state, group, PRODUCERS_AND_CONSUMERS)
    squares = total(group.units, (per_unit(per_filter(w.square(), at), at) for w, at in weights))
    return np.asarray(np.sqrt(squares))


def lamp(state: State, group: PruningGroup) -> FloatArray:
    """Square of a unit over the sum of squares of all units not smaller, in each producer.

    The score of LAMP (arXiv 2010.07611), there for single weights.
    """
    weights = weights_of(state, group)
    return total(
        group.units,
        (_over_not_smaller(per_unit(per_filter(w.square(), at), at)) for w, at in weights),
    )


def _over_not_smaller(squares: torch.Tensor) -> torch.Tensor:
    ascending = squares.sort().values
    not_smaller = ascending.flip(0).cumsum(0).flip(0)[torch.searchsorted(ascending, squares)]
    return torch.where(squares > 0, squares / not_smaller, 0.0)


def _summed(
    state: State, group: PruningGroup, measure: Callable[[torch.Tensor], torch.Tensor]
) -> FloatArray:
    weights = weights_of(state, group)
    return total(group.units, (per_unit(per_filter(measure(w), at), at) for w, at in weights))
