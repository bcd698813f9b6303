"""The criterion that looks at batch norms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autoprune.errors import ModelError
from autoprune.pruning.criteria.contract import FloatArray, State
from autoprune.pruning.space import PruningGroup


def bn_scale(state: State, group: PruningGroup) -> FloatArray:
    """Network slimming's score (arXiv 1708.06519, section 3): the size of batch norm's scale."""
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
