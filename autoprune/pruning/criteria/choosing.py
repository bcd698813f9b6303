"""The choice of units by a criterion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from autoprune.errors import ModelError
from autoprune.pruning.criteria.contract import (
    FloatArray,
    GradientCriterion,
    State,
    WeightCriterion,
)
from autoprune.pruning.criteria.registry import find_criterion
from autoprune.pruning.space import Kept, PruningGroup, SearchSpace


class Ranking:
    """The units of one network, ranked by a criterion.

    A group is scored when it is first narrowed, once.

    Args:
        criterion: name of a criterion.
        state: of the unpruned shapes (see :func:`autoprune.pruning.surgery.expand`); it must stay
            as it is.
        space: the groups.
        gradients: of the mean training loss, parameter -> tensor of its shape; only criteria that
            need them look at them.

    Raises:
        UnknownNameError: no such criterion.
        ModelError: the criterion needs gradients and got none.
    """

    def __init__(
        self, criterion: str, state: State, space: SearchSpace, gradients: State | None = None
    ) -> None:
        self._score = _scoring(criterion, gradients)
        self._state = state
        self._space = space
        self._scores: dict[str, FloatArray] = {}

    def choose(self, widths: Mapping[str, int], within: Kept | None = None) -> Kept:
        """The units to keep; arguments and errors are those of :func:`choose_units`."""
        kept = {}
        for group in self._space.groups:
            candidates = np.arange(group.units) if within is None else within[group.name].numpy()
            width = widths.get(group.name)
            if width is None or not 1 <= width <= len(candidates):
                raise ModelError(
                    f"group {group.name!r}: expected a width from 1 to {len(candidates)}, "
                    f"got {width}"
                )
            kept[group.name] = self._highest(group, candidates, width)
        return kept

    def _highest(
        self, group: PruningGroup, candidates: npt.NDArray[np.int64], width: int
    ) -> torch.Tensor:
        if width == len(candidates):
            return torch.from_numpy(candidates.copy())
        if group.name not in self._scores:
            scores = self._score(self._state, group)
            self._scores[group.name] = np.nan_to_num(scores, nan=-np.inf)
        best = np.argsort(-self._scores[group.name][candidates], kind="stable")[:width]
        return torch.from_numpy(np.sort(candidates[best]))


def choose_units(
    criterion: str,
    state: State,
    space: SearchSpace,
    widths: Mapping[str, int],
    within: Kept | None = None,
    gradients: State | None = None,
) -> Kept:
    """The units to keep: in each group those with the highest scores, ties to the lower index.

    Args:
        criterion: name of a criterion.
        state: of the unpruned shapes (see :func:`autoprune.pruning.surgery.expand`).
        space: the groups.
        widths: group name -> units to keep.
        within: a parent's kept units, of which these are to be a part.
        gradients: of the mean training loss with these weights, for criteria that need them.

    Raises:
        UnknownNameError: no such criterion.
        ModelError: a group has no width, or more than there are units to choose from; the
            criterion cannot rank a group, or needs gradients and got none.
    """
    return Ranking(criterion, state, space, gradients).choose(widths, within)


def _scoring(name: str, gradients: State | None) -> WeightCriterion:
    criterion = find_criterion(name)
    if not isinstance(criterion, GradientCriterion):
        return criterion
    if gradients is None:
        raise ModelError(
            f"criterion {name!r} needs the gradients of the training loss, and there are none "
            "here: measure them (autoprune.evaluation.ranking), or use a criterion without, as 'l2'"
        )
    score, given = criterion.score, gradients
    return lambda state, group: score(state, group, given)
