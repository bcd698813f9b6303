"""What a budget comes to: its bounds in absolute terms, and what the search may spend of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autoprune.budget import Bound, describe, latency_key
from autoprune.errors import BudgetInfeasibleError
from autoprune.jobs.devices import Tables
from autoprune.pruning.cost import CostModel
from autoprune.pruning.explain import FloorTerm
from autoprune.pruning.space import SearchSpace
from searchers.contract import FloatArray, Load


@dataclass(frozen=True)
class Yardstick:
    """What one bound is measured by.

    Args:
        cost: widths [N, G] -> seconds, multiply-adds or parameters [N].
        base: of the unpruned network.
        floor: of the narrowest legal schedule.
        margin: fraction of a bound left free, from the calibration's held-out error; None for what
            is counted exactly.
        floor_terms: what makes up the floor, where that is known.
        device: where a named table was measured, in words.
    """

    cost: Callable[[npt.ArrayLike], FloatArray]
    base: float
    floor: float
    margin: float | None = None
    floor_terms: Callable[[], list[FloorTerm]] | None = None
    device: str = ""

    def aim(self, limit: float) -> float:
        """What the search may spend; the margin makes no reachable bound unreachable."""
        return max(limit * (1.0 - self.margin), self.floor) if self.margin else limit


def count_yardsticks(space: SearchSpace, cost: CostModel) -> dict[str, Yardstick]:
    """For multiply-adds and parameters."""
    return {"macs": _yardstick(space, cost.macs), "params": _yardstick(space, cost.params)}


def latency_yardsticks(
    space: SearchSpace, tables: Tables, costs: Mapping[str, CostModel]
) -> dict[str, Yardstick]:
    """For the latency by each table; the base is the first network of its calibration."""
    return {
        latency_key(name): Yardstick(
            costs[name].latency,
            priced.base_s,
            _at(costs[name].latency, space.narrowest),
            priced.calibration.margin,
            costs[name].explain_floor,
            f"{name} ({priced.table.context.device.processor}, {priced.table.context.runtime})"
            if name
            else "",
        )
        for name, priced in tables.items()
    }


def resolve_limits(
    bounds: Sequence[Bound], yardsticks: Mapping[str, Yardstick]
) -> dict[str, float]:
    """Bound's key -> absolute bound, in seconds, multiply-adds or parameters.

    Raises:
        InputError: the unpruned network is within a bound already.
        BudgetInfeasibleError: no schedule meets one; says the floor.
    """
    limits = {bound.key: bound.resolve(yardsticks[bound.key].base) for bound in bounds}
    for bound in bounds:
        if yardsticks[bound.key].floor > limits[bound.key]:
            raise _under_the_floor(bound, limits[bound.key], yardsticks[bound.key])
    return limits


def loads_of(
    limits: Mapping[str, float],
    yardsticks: Mapping[str, Yardstick],
    fractions: Mapping[str, float] | None = None,
) -> Load:
    """Widths [N, G] -> the largest of cost / aim over all bounds, [N].

    Args:
        fractions: of bounds that are aimed at as predicted, in place of what their margin leaves.
    """
    parts = parts_of(limits, yardsticks, fractions)

    def load(widths: FloatArray) -> FloatArray:
        worst: FloatArray = np.max(np.stack([part(widths) for part in parts]), axis=0)
        return worst

    return load


def parts_of(
    limits: Mapping[str, float],
    yardsticks: Mapping[str, Yardstick],
    fractions: Mapping[str, float] | None = None,
) -> tuple[Load, ...]:
    """For each bound: widths [N, G] -> cost / aim, [N]. Arguments as for :func:`loads_of`."""
    aims = {key: yardsticks[key].aim(limit) for key, limit in limits.items()}
    for key, fraction in (fractions or {}).items():
        if key in limits:
            aims[key] = limits[key] * fraction
    return tuple(_part(yardsticks[key].cost, aim) for key, aim in aims.items())


def _part(cost: Callable[[npt.ArrayLike], FloatArray], aim: float) -> Load:
    return lambda widths: cost(widths) / aim


def _yardstick(space: SearchSpace, cost: Callable[[npt.ArrayLike], FloatArray]) -> Yardstick:
    return Yardstick(
        cost,
        _at(cost, [group.units for group in space.groups]),
        _at(cost, space.narrowest),
    )


def _at(cost: Callable[[npt.ArrayLike], FloatArray], widths: Sequence[int]) -> float:
    return float(cost([widths])[0])


def _under_the_floor(bound: Bound, limit: float, yardstick: Yardstick) -> BudgetInfeasibleError:
    made_of = ""
    if yardstick.floor_terms is not None:
        terms = yardstick.floor_terms()
        total = sum(term.seconds for term in terms)
        # In shares: the whole network's latency is calibrated, and is not their sum.
        made_of = "; what makes it up: " + ", ".join(
            f"{term.layer} ({term.operator}) {term.seconds / total:.0%}" for term in terms[:4]
        )
    where = f" on {yardstick.device}" if yardstick.device else ""
    return BudgetInfeasibleError(
        f"budget {bound.text!r} ({describe(bound.kind, limit)}) is under the floor{where}: the "
        f"narrowest legal network still costs {describe(bound.kind, yardstick.floor)}, "
        f"{yardstick.floor / yardstick.base:.0%} of the unpruned one{made_of}. Raise the budget, "
        "or allow narrower layers: lower --min-keep, a smaller --divisor, rules that fix no width"
    )
