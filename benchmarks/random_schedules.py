"""Random legal schedules of a search space, for benchmarks and tests."""

from __future__ import annotations

import numpy as np
import torch

from autoprune.pruning.space import Kept, SearchSpace


def random_widths(space: SearchSpace, rng: np.random.Generator) -> dict[str, int]:
    """A random legal width of each group."""
    return {group.name: int(rng.choice(group.choices)) for group in space.groups}


def random_kept(space: SearchSpace, seed: int) -> Kept:
    """Random units at a random legal width of each group."""
    rng = np.random.default_rng(seed)
    kept = {}
    for group in space.groups:
        units = rng.choice(group.units, size=int(rng.choice(group.choices)), replace=False)
        kept[group.name] = torch.from_numpy(np.sort(units))
    return kept
