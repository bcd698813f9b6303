"""What ranks the units inside a group, and the choice of units by it.

A criterion maps (state of the unpruned network, group) to scores [units]; the highest are kept.
Another package adds its own through the entry-point group ``autoprune.criteria``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points

import numpy as np
import numpy.typing as npt
import torch

from autoprune.errors import ModelError, UnknownNameError
from autoprune.pruning.space import Kept, PruningGroup, SearchSpace

FloatArray = npt.NDArray[np.float64]
State = Mapping[str, torch.Tensor]
Criterion = Callable[[State, PruningGroup], FloatArray]

ENTRY_POINTS = "autoprune.criteria"


def choose_units(
    criterion: str,
    state: State,
    space: SearchSpace,
    widths: Mapping[str, int],
    within: Kept | None = None,
) -> Kept:
    """The units to keep: in each group those with the highest scores, ties to the lower index.

    Args:
        criterion: name of a criterion.
        state: of the unpruned shapes (see :func:`autoprune.pruning.surgery.expand`).
        space: the groups.
        widths: group name -> units to keep.
        within: a parent's kept units, of which these are to be a part.

    Raises:
        UnknownNameError: no such criterion.
        ModelError: a group has no width, or more than there are units to choose from.
    """
    score = find_criterion(criterion)
    kept = {}
    for group in space.groups:
        candidates = np.arange(group.units) if within is None else within[group.name].numpy()
        width = widths.get(group.name)
        if width is None or not 1 <= width <= len(candidates):
            raise ModelError(
                f"group {group.name!r}: expected a width from 1 to {len(candidates)}, got {width}"
            )
        kept[group.name] = _highest(score, state, group, candidates, width)
    return kept


def unit_norms(state: State, space: SearchSpace) -> dict[str, FloatArray]:
    """Squared L2 norm of each unit's filters, summed over tied producers; group -> [units].

    Biases and depthwise filters are not counted (LeGR, arXiv 1904.12368, section 3.1).
    """
    return {group.name: _l2(state, group) for group in space.groups}


def find_criterion(name: str) -> Criterion:
    """The criterion of that name, built in or from an entry point."""
    if name in CRITERIA:
        return CRITERIA[name]
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        raise UnknownNameError("criterion", name, [*CRITERIA, *found])
    criterion: Criterion = found[name].load()
    return criterion


def _highest(
    score: Criterion,
    state: State,
    group: PruningGroup,
    candidates: npt.NDArray[np.int64],
    width: int,
) -> torch.Tensor:
    if width == len(candidates):
        return torch.from_numpy(candidates.copy())
    scores = np.nan_to_num(score(state, group), nan=-np.inf)[candidates]
    best = np.argsort(-scores, kind="stable")[:width]
    return torch.from_numpy(np.sort(candidates[best]))


def _per_unit(
    state: State, group: PruningGroup, measure: Callable[[torch.Tensor], torch.Tensor]
) -> FloatArray:
    """``measure`` summed over every element of each unit's filters, in float64."""
    total = torch.zeros(group.units, dtype=torch.float64)
    for place in group.slices:
        weight = state[place.tensor]
        if place.role == "output" and weight.ndim > 1:
            measured = measure(weight.detach().cpu().double())
            others = [dim for dim in range(weight.ndim) if dim != place.dim]
            total += measured.sum(others)[place.index].sum(1)
    summed: FloatArray = total.numpy()
    return summed


def _l1(state: State, group: PruningGroup) -> FloatArray:
    return _per_unit(state, group, torch.abs)


def _l2(state: State, group: PruningGroup) -> FloatArray:
    return _per_unit(state, group, torch.square)


def _random(_state: State, group: PruningGroup) -> FloatArray:
    seed = int.from_bytes(hashlib.sha256(group.name.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).random(group.units)


def _bn_scale(state: State, group: PruningGroup) -> FloatArray:
    """Network slimming's score (Liu et al. 2017, section 3): the size of batch norm's scale."""
    scales = list(_batch_norm_scales(state, group))
    if not scales:
        raise ModelError(
            f"group {group.name!r} has no batch norm: criterion 'bn_scale' cannot rank it, use 'l2'"
        )
    return np.asarray(np.sum(scales, axis=0), dtype=np.float64)


def _batch_norm_scales(state: State, group: PruningGroup) -> Iterator[FloatArray]:
    for place in group.slices:
        module, _, name = place.tensor.rpartition(".")
        if name == "weight" and f"{module}.running_var" in state:
            scale = state[place.tensor].detach().cpu().double().abs()
            per_unit: FloatArray = scale[place.index].sum(1).numpy()
            yield per_unit


CRITERIA: dict[str, Criterion] = {
    "l1": _l1,
    "l2": _l2,
    "random": _random,
    "bn_scale": _bn_scale,
}
