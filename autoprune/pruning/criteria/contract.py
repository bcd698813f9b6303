"""What a criterion is given and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from autoprune.pruning.space import PruningGroup

FloatArray = npt.NDArray[np.float64]
State = Mapping[str, torch.Tensor]

WeightCriterion = Callable[[State, PruningGroup], FloatArray]
"""(state of the unpruned shapes, group) -> scores [units]; the highest are kept."""


@dataclass(frozen=True)
class GradientCriterion:
    """A criterion that needs the gradients of the training loss as well.

    Args:
        score: (state, group, gradients) -> scores [units]; gradients have the names and shapes of
            the parameters in the state.
    """

    score: Callable[[State, PruningGroup, State], FloatArray]


Criterion = WeightCriterion | GradientCriterion
