"""The problem's bounds as sums of tables, and the integer program under them."""

from __future__ import annotations

from searchers.contract import IntArray, Problem
from searchers.projection import project
from searchers.solver.descent import descend, elimination_order
from searchers.solver.elimination import Order
from searchers.solver.program import Solution, minimise
from searchers.solver.tables import Pair, TableSum, expand, widths_of

_ROUNDS = 4
_CLOSE = 1e-3
"""Difference in load up to which a sum of tables is taken for the load itself."""


class Bounds:
    """Every bound of a problem as a sum of tables around the schedule it was last asked about.

    Args:
        problem: G groups, and the loads of its bounds.
        around: a schedule near the ones of interest, [G].
    """

    def __init__(self, problem: Problem, around: IntArray) -> None:
        self._problem = problem
        self._around = around
        self._tables = self._expanded(around)
        self._orders: dict[frozenset[Pair], Order | None] = {}

    @property
    def pairs(self) -> list[Pair]:
        """Pairs of groups whose costs are tied: those at the two sides of a layer."""
        return sorted({pair for table in self._tables for pair in table.pairs})

    def solve(self, objective: TableSum) -> tuple[tuple[int, ...], Solution | None]:
        """The legal schedule within the budget that minimises a sum of tables, and its proof.

        Where a bound is no sum of tables (a law with a cache, a concatenation of three groups), it
        is expanded again around the answer, and the best answer that the load itself admits is
        taken. Without any the reference is projected to the budget, and there is no proof.
        """
        tables, limit = self._tables, 1.0
        best: tuple[Solution, IntArray] | None = None
        for _ in range(_ROUNDS):
            found = minimise(objective, tables, limit)
            if found is None:
                break
            widths = widths_of(self._problem.groups, found.places)
            load = float(self._problem.loads(widths)[0])
            if load <= 1.0 and (best is None or found.value < best[0].value):
                best = (found, widths)
            believed = max(float(table(found.places)[0]) for table in tables)
            if load <= 1.0 and abs(load - believed) <= _CLOSE:
                break
            limit -= max(load - 1.0, 0.0)
            tables = self._expanded(widths)
        if best is None:
            return project(self._problem, self._around), None
        return tuple(int(width) for width in best[1]), best[0]

    def sketch(self, objective: TableSum) -> tuple[int, ...]:
        """Nearly the same in a moment, without proof: for samples of an objective.

        The bounds are taken as they are around the reference.
        """
        tied = frozenset(objective.pairs)
        if tied not in self._orders:
            self._orders[tied] = elimination_order(self._problem, objective, self._tables)
        return descend(self._problem, objective, self._tables, self._orders[tied])

    def _expanded(self, around: IntArray) -> list[TableSum]:
        loads = self._problem.parts or (self._problem.load,)
        return [expand(self._problem.groups, load, around) for load in loads]
