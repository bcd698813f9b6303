"""A loss as sums of tables, fitted on a network's real evaluations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear
from scipy.stats import spearmanr

from searchers import Group
from searchers.solver.tables import Pair, TableSum, places_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Ridge penalties tried; the one that predicts left-out evaluations best is taken."""
FOLDS = 5


class TableFit:
    """Ridge regression on increments from one choice to the next, none negative, and on pairs.

    Args:
        groups: G groups.
        pairs: neighbours; their term is the product of the fractions both lose.
    """

    def __init__(self, groups: Sequence[Group], pairs: Sequence[Pair]) -> None:
        self._groups, self._pairs = groups, list(pairs)
        self._lost = [1.0 - np.asarray(g.choices) / g.units for g in groups]
        # A group's increments are drawn towards the logarithm of the width, all by one slope.
        self._steps = np.concatenate([-np.diff(np.log(g.choices)) for g in groups]) * -1.0

    def design(self, places: IntArray) -> FloatArray:
        """Constant, increments passed, products of pairs; [N, D]."""
        columns = [np.ones((len(places), 1))]
        for index, group in enumerate(self._groups):
            columns.append(places[:, [index]] <= np.arange(len(group.choices) - 1))
        for a, b in self._pairs:
            product = self._lost[a][places[:, a]] * self._lost[b][places[:, b]]
            columns.append(product[:, None])
        return np.concatenate(columns, axis=1).astype(np.float64)

    def solve(self, places: IntArray, values: FloatArray, strength: float) -> FloatArray:
        """Coefficients; [D]."""
        design = self.design(places)
        total = design[:, 1 : 1 + len(self._steps)] @ self._steps
        slope = max(float(np.polyfit(total, values, 1)[0]), 1e-3)
        prior = np.concatenate([slope * self._steps, np.zeros(len(self._pairs))])
        scale = np.concatenate([np.sqrt(self._steps), np.full(len(self._pairs), 1.0)])
        penalty = np.diag(strength / np.maximum(scale, 1e-6))
        rows = np.concatenate([design, np.concatenate([np.zeros((len(prior), 1)), penalty], 1)])
        right = np.concatenate([values, penalty @ prior])
        lower = np.concatenate(
            [[-np.inf], np.zeros(len(self._steps)), np.full(len(self._pairs), -np.inf)]
        )
        found: FloatArray = lsq_linear(rows, right, bounds=(lower, np.inf)).x
        return found

    def table(self, coefficients: FloatArray) -> TableSum:
        """The fitted value of every schedule."""
        singles, start = [], 1
        for group in self._groups:
            steps = coefficients[start : start + len(group.choices) - 1]
            start += len(steps)
            singles.append(np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]]))
        pairs = {
            (a, b): weight * np.outer(self._lost[a], self._lost[b])
            for (a, b), weight in zip(self._pairs, coefficients[start:], strict=True)
        }
        return TableSum(float(coefficients[0]), tuple(singles), pairs)


def fit_losses(
    groups: Sequence[Group], pairs: Sequence[Pair], widths: IntArray, losses: FloatArray
) -> tuple[TableSum, dict[str, float]]:
    """The table of log losses, and how well it predicts evaluations it was not fitted on.

    Args:
        groups: G groups.
        pairs: that interact.
        widths: evaluated, [N, G].
        losses: [N].
    """
    fit = TableFit(groups, pairs)
    places, values = places_of(groups, widths), np.log(losses)
    held = {strength: _held_out(fit, places, values, strength) for strength in STRENGTHS}
    best = min(held, key=lambda strength: float(((held[strength] - values) ** 2).sum()))
    missed = float(((held[best] - values) ** 2).sum() / ((values - values.mean()) ** 2).sum())
    facts = {
        "evaluations": len(values),
        "strength": best,
        "r2_held_out": round(1.0 - missed, 4),
        "spearman_held_out": round(float(spearmanr(held[best], values)[0]), 4),
    }
    return fit.table(fit.solve(places, values, best)), facts


def _held_out(fit: TableFit, places: IntArray, values: FloatArray, strength: float) -> FloatArray:
    """Every value predicted from the other folds."""
    predicted = np.empty(len(values))
    order = np.random.default_rng(0).permutation(len(values))
    for fold in range(FOLDS):
        out = order[fold::FOLDS]
        rest = np.setdiff1d(order, out)
        table = fit.table(fit.solve(places[rest], values[rest], strength))
        predicted[out] = table(places[out])
    return predicted
