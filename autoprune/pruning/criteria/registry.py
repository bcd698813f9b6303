"""The criteria there are, by name."""

from __future__ import annotations

from importlib.metadata import entry_points

from autoprune.errors import UnknownNameError
from autoprune.pruning.criteria.batch_norm import bn_scale
from autoprune.pruning.criteria.contract import Criterion, GradientCriterion
from autoprune.pruning.criteria.distance import fpgm
from autoprune.pruning.criteria.gradient import taylor
from autoprune.pruning.criteria.magnitude import (
    group_lasso,
    l1,
    l2,
    lamp,
    mean_of_sizes,
    size_of_mean,
    size_of_sum,
)
from autoprune.pruning.criteria.random_order import random_order

ENTRY_POINTS = "autoprune.criteria"

CRITERIA: dict[str, Criterion] = {
    "l1": l1,
    "l2": l2,
    "mean": size_of_mean,
    "mean_abs": mean_of_sizes,
    "sum": size_of_sum,
    "sum_abs": l1,
    "group_lasso": group_lasso,
    "lamp": lamp,
    "fpgm": fpgm,
    "bn_scale": bn_scale,
    "taylor": GradientCriterion(taylor),
    "random": random_order,
}


def find_criterion(name: str) -> Criterion:
    """The criterion of that name, built in or from an entry point."""
    if name in CRITERIA:
        return CRITERIA[name]
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        raise UnknownNameError("criterion", name, [*CRITERIA, *found])
    criterion: Criterion = found[name].load()
    return criterion


def needs_gradients(name: str) -> bool:
    """Whether the criterion of that name is one that needs gradients."""
    return isinstance(find_criterion(name), GradientCriterion)
