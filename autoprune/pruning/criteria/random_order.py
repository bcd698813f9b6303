"""The criterion that looks at nothing: what a criterion has to beat."""

from __future__ import annotations

import hashlib

import numpy as np

from autoprune.pruning.criteria.contract import FloatArray, State
from autoprune.pruning.space import PruningGroup


def random_order(_state: State, group: PruningGroup) -> FloatArray:
    """Random scores, keyed by the group's name: the same each time."""
    seed = int.from_bytes(hashlib.sha256(group.name.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).random(group.units)
