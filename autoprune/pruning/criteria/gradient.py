"""The criterion that looks at what the loss would change by."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from autoprune.errors import ModelError
from autoprune.pruning.criteria.contract import FloatArray, State
from autoprune.pruning.criteria.weights import per_filter, per_unit, total, weights_of
from autoprune.pruning.space import PruningGroup


def taylor(state: State, group: PruningGroup, gradients: State) -> FloatArray:
    """Square of what the loss changes by, to first order, without the unit's filters.

    (sum of weight x gradient)^2 over all weights of the unit's filters together, in all tied
    producers (arXiv 1906.10771, section 3.1: the contribution of a group of parameters).
    """
    change = total(group.units, _changes(state, group, gradients))
    return change**2


def _changes(state: State, group: PruningGroup, gradients: State) -> Iterator[torch.Tensor]:
    for weight, place in weights_of(state, group):
        gradient = gradients.get(place.tensor)
        if gradient is None:
            raise ModelError(
                f"group {group.name!r}: there is no gradient of {place.tensor!r}, which is no "
                "parameter of the model: use a criterion without gradients, as 'l2'"
            )
        yield per_unit(per_filter(weight * gradient.detach().cpu().double(), place), place)
