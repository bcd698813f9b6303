"""A good schedule under a sum of tables in a moment: one price for latency, then exchanges.

The integer program proves its answers; this is for the many samples that nobody needs proven.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from searchers.contract import IntArray, Problem
from searchers.projection import project
from searchers.solver.elimination import Order, minimum, order_of
from searchers.solver.tables import TableSum, places_of, widths_of

_PRICES = 25
_MOST_EXCHANGES = 40


def descend(
    problem: Problem, objective: TableSum, bounds: Sequence[TableSum], order: Order | None
) -> tuple[int, ...]:
    """A schedule within the budget that no change of one group, and no exchange of two, improves.

    Latency gets a price: what minimises objective + price * latency is the exact answer of some
    budget (Everett, 1963, theorem 1). The price at which it meets this one is found by bisection,
    and what it leaves is spent by exchanges.

    Args:
        problem: G groups and their load.
        objective: over the same groups.
        bounds: the loads as sums of tables; several share the price.
        order: of elimination, for the objective's pairs and the bounds'; without one, as where the
            network is too far from a tree, exchanges start from a schedule projected to the budget.
    """
    if order is None:
        places = places_of(problem.groups, np.array(project(problem, problem.full)))
    else:
        places = _priced(problem, objective, bounds, order)
    last = np.array([len(group.choices) - 1 for group in problem.groups])
    for _ in range(_MOST_EXCHANGES):
        better = _exchanged(problem, objective, places, last)
        if better is None:
            break
        places = better
    return tuple(int(width) for width in widths_of(problem.groups, places))


def elimination_order(
    problem: Problem, objective: TableSum, bounds: Sequence[TableSum]
) -> Order | None:
    """The order in which groups are eliminated; None where the network is too far from a tree."""
    pairs = sorted({pair for table in (objective, *bounds) for pair in table.pairs})
    return order_of(tuple(len(group.choices) for group in problem.groups), pairs)


def _priced(
    problem: Problem, objective: TableSum, bounds: Sequence[TableSum], order: Order
) -> IntArray:
    """The best schedule within budget among the minimisers at all prices tried."""
    floor = project(problem, problem.full)
    best = places_of(problem.groups, np.array(floor))
    value = float(objective(best)[0])
    low, high = 0.0, _highest_price(objective, bounds)
    for _ in range(_PRICES):
        price = (low + high) / 2.0 if low else high / 2.0
        places = minimum(_weighted(objective, bounds, price), order)
        if problem.feasible(widths_of(problem.groups, places))[0]:
            high = price
            if float(objective(places)[0]) < value:
                best, value = places, float(objective(places)[0])
        else:
            low = price
    return best


def _highest_price(objective: TableSum, bounds: Sequence[TableSum]) -> float:
    """A price at which latency is all that counts."""
    most = sum(float(np.ptp(values)) for values in objective.singles)
    most += sum(float(np.ptp(values)) for values in objective.pairs.values())
    saved = min(sum(float(np.ptp(values)) for values in bound.singles) for bound in bounds)
    return 100.0 * most / max(saved, 1e-12)


def _weighted(objective: TableSum, bounds: Sequence[TableSum], price: float) -> TableSum:
    singles = list(objective.singles)
    pairs = dict(objective.pairs)
    for bound in bounds:
        singles = [own + price * cost for own, cost in zip(singles, bound.singles, strict=True)]
        for pair, values in bound.pairs.items():
            pairs[pair] = pairs[pair] + price * values if pair in pairs else price * values
    return TableSum(0.0, tuple(singles), pairs)


def _exchanged(
    problem: Problem, objective: TableSum, places: IntArray, last: IntArray
) -> IntArray | None:
    """The best change of one group, or exchange of two; None where none helps."""
    now = float(objective(places)[0])
    low = np.zeros_like(last)
    wider = _changes(places, places + 1, np.minimum(places + 2, last))
    pairs = [_changes(row, np.maximum(row - 2, 0), row - 1) for row in wider]
    rows = np.concatenate([_changes(places, low, last), *pairs])
    values = objective(rows)
    helps = np.flatnonzero(values < now - 1e-9 * max(1.0, abs(now)))
    order = helps[np.argsort(values[helps], kind="stable")]
    fits = problem.loads(widths_of(problem.groups, rows[order])) <= 1.0
    return rows[order[int(np.argmax(fits))]] if fits.any() else None


def _changes(places: IntArray, low: IntArray, high: IntArray) -> IntArray:
    """Every change of one group to a position from low to high; [M, G]."""
    moves = [
        (group, place)
        for group in range(len(places))
        for place in range(int(low[group]), int(high[group]) + 1)
        if place != places[group]
    ]
    rows: IntArray = np.repeat(places[None, :], len(moves), axis=0)
    if moves:
        rows[np.arange(len(moves)), [group for group, _ in moves]] = [place for _, place in moves]
    return rows
