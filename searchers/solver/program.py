"""The exact minimum of a sum of tables under bounds that are sums of tables: an integer program.

A group's choice is a one-hot row of binaries; a pair's joint choice is a matrix whose margins are
the two rows, so that the (cin, cout) latency matrix is respected exactly, as in MDP (arXiv
2406.12079), where HALP (arXiv 2110.10811) holds the input width fixed. Solved by HiGHS.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, vstack

from searchers.contract import FloatArray, IntArray
from searchers.solver.tables import Pair, TableSum

GAP = 1e-3
"""Relative gap to the bound at which a solution is taken."""
NODES = 2_000
"""Branch-and-bound nodes; a limit in seconds would make the answer depend on the machine."""


@dataclass(frozen=True)
class Solution:
    """What the integer program gave.

    Args:
        places: positions among the choices, [G].
        value: of the objective there.
        gap: how far it may be above the minimum, as a fraction of the value; 0 is proven optimal.
    """

    places: IntArray
    value: float
    gap: float


def minimise(
    objective: TableSum,
    bounds: Sequence[TableSum],
    limit: float = 1.0,
    *,
    nodes: int = NODES,
    gap: float = GAP,
) -> Solution | None:
    """The schedule of least objective whose every bound is at most ``limit``; None where none is.

    Args:
        objective: over G groups.
        bounds: over the same groups.
        limit: what each may reach.
        nodes: of branch and bound, at most.
        gap: relative, at which a solution is good enough.
    """
    layout = _Layout(objective, bounds)
    knapsacks = [
        LinearConstraint(layout.row(bound)[None, :], ub=limit - bound.constant) for bound in bounds
    ]
    with _silent_stdout():
        found = milp(
            layout.row(objective),
            integrality=layout.integrality,
            bounds=Bounds(0.0, 1.0),
            constraints=[layout.consistent, *knapsacks],
            options={"mip_rel_gap": gap, "node_limit": nodes, "presolve": True},
        )
    if found.x is None:
        return None
    places = layout.places(found.x)
    left = float(found.mip_gap) if found.mip_gap is not None else 0.0
    return Solution(places, float(objective(places)[0]), left)


@contextmanager
def _silent_stdout() -> Iterator[None]:
    """HiGHS now and then prints a line that no option turns off; stdout belongs to results."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # the process has no stdout
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


class _Layout:
    """Where each choice and each joint choice stands in the program's vector."""

    def __init__(self, objective: TableSum, bounds: Sequence[TableSum]) -> None:
        self._sizes = [len(values) for values in objective.singles]
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)])
        singles = int(self._starts[-1])
        self._pairs: dict[Pair, int] = {}
        end = singles
        for pair in sorted({pair for table in (objective, *bounds) for pair in table.pairs}):
            self._pairs[pair] = end
            end += self._sizes[pair[0]] * self._sizes[pair[1]]
        self._end = end
        self.integrality = np.zeros(end, dtype=np.int64)
        self.integrality[:singles] = 1
        self.consistent = self._consistent()

    def row(self, table: TableSum) -> FloatArray:
        """Coefficients of a sum of tables, without its constant."""
        row = np.zeros(self._end)
        row[: self._starts[-1]] = np.concatenate(table.singles)
        for pair, values in table.pairs.items():
            start = self._pairs[pair]
            row[start : start + values.size] = values.ravel()
        return row

    def places(self, x: FloatArray) -> IntArray:
        """Each group's choice."""
        parts = np.split(x[: self._starts[-1]], self._starts[1:-1])
        return np.array([int(np.argmax(part)) for part in parts], dtype=np.int64)

    def _consistent(self) -> LinearConstraint:
        """One choice for each group; a pair's matrix sums to the choices of its two groups."""
        blocks: list[csr_array] = []
        right: list[FloatArray] = []
        ones = coo_array(
            (
                np.ones(self._starts[-1]),
                (np.repeat(np.arange(len(self._sizes)), self._sizes), np.arange(self._starts[-1])),
            ),
            shape=(len(self._sizes), self._end),
        )
        blocks.append(csr_array(ones))
        right.append(np.ones(len(self._sizes)))
        for (a, b), start in self._pairs.items():
            at = start + np.arange(self._sizes[a] * self._sizes[b])
            first, second = np.divmod(np.arange(len(at)), self._sizes[b])
            for group, margin in ((a, first), (b, second)):
                blocks.append(self._margin(group, margin, at))
                right.append(np.zeros(self._sizes[group]))
        sums = np.concatenate(right)
        return LinearConstraint(vstack(blocks), lb=sums, ub=sums)

    def _margin(self, group: int, margin: IntArray, at: IntArray) -> csr_array:
        """Rows that say: the matrix summed over the other group is this group's choice."""
        size = self._sizes[group]
        own = self._starts[group] + np.arange(size)
        values = np.concatenate([np.ones(len(at)), -np.ones(size)])
        rows = np.concatenate([margin, np.arange(size)])
        columns = np.concatenate([at, own])
        return csr_array(coo_array((values, (rows, columns)), shape=(size, self._end)))
