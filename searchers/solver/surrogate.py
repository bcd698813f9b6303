"""What the solver believes of the loss: a sum over groups and neighbouring pairs, learned as it goes.

The transformed loss of a schedule is modelled as a linear function of features: global sums of a few
measures of damage (each a curve per group), every group's own deviation from them, and products for
pairs of neighbours. It is ridge regression in its Bayesian reading (Bishop, 2006, sections 3.3 and
3.5): the strength of the penalties and the noise are those of the largest evidence, and the
posterior gives samples as well as a mean. Its predictions are sums of tables, so the integer
program can minimise them exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from searchers.contract import FloatArray, Group, IntArray
from searchers.solver.tables import Pair, TableSum

Curves = tuple[FloatArray, ...]
"""Damage of every choice of each group, 0 at full width; G arrays [C_g]."""

_OWN = (0.03, 0.1, 0.3)
"""Standard deviations tried for a group's own deviation, in units of the loss's spread."""
_JOINT = (0.0, 0.5, 1.5)
"""Those of pairs, as a fraction of a group's."""
_NOISE = (0.03, 0.1, 0.3)
_GLOBAL = 3.0


@dataclass(frozen=True)
class Belief:
    """A posterior over the coefficients.

    Args:
        mean: [D].
        root: upper factor R of the covariance, R R^T; [D, D].
        evidence: log marginal likelihood of what was told.
    """

    mean: FloatArray
    root: FloatArray
    evidence: float


class Surrogate:
    """Features of schedules and the regression on them.

    Args:
        groups: G groups.
        measures: named curves, each of which gets one global coefficient; the first is also the
            shape of each group's own deviation.
        pairs: neighbours with a term of their own.
    """

    def __init__(
        self, groups: Sequence[Group], measures: Sequence[Curves], pairs: Sequence[Pair]
    ) -> None:
        self._groups = groups
        self._measures = [_scaled(measure) for measure in measures]
        self._shape = [_unit(curve) for curve in measures[0]]
        self._pairs = list(pairs)

    @property
    def size(self) -> int:
        """Number of coefficients D: constant, measures, groups, pairs."""
        return 1 + len(self._measures) + len(self._groups) + len(self._pairs)

    def features(self, places: IntArray) -> FloatArray:
        """Positions among the choices [N, G] -> [N, D]."""
        columns = [np.ones(len(places))]
        for measure in self._measures:
            values = [curve[places[:, g]] for g, curve in enumerate(measure)]
            columns.append(np.sum(values, axis=0))
        own = [curve[places[:, g]] for g, curve in enumerate(self._shape)]
        columns.extend(own)
        columns.extend(own[a] * own[b] for a, b in self._pairs)
        return np.stack(columns, axis=1)

    def prior(self) -> FloatArray:
        """Mean of the coefficients before anything is told: all measures alike; [D]."""
        mean = np.zeros(self.size)
        mean[1 : 1 + len(self._measures)] = 1.0 / len(self._measures)
        return mean

    def draw_prior(self, rng: np.random.Generator) -> FloatArray:
        """Coefficients as they might be before anything is told: measures weigh differently; [D]."""
        drawn = np.zeros(self.size)
        count = len(self._measures)
        drawn[1 : 1 + count] = rng.dirichlet(np.full(count, 0.7))
        drawn[1 + count : 1 + count + len(self._groups)] = _OWN[1] * rng.normal(
            size=len(self._groups)
        )
        return drawn

    def fit(self, places: IntArray, values: FloatArray) -> Belief:
        """The posterior of the largest evidence.

        Args:
            places: told schedules, [N, G].
            values: their transformed losses in units of their spread, [N].
        """
        features = self.features(places)
        beliefs = [
            self._posterior(features, values, own, joint * own, noise)
            for own, joint, noise in product(_OWN, _JOINT, _NOISE)
        ]
        return max(beliefs, key=lambda belief: belief.evidence)

    def table(self, coefficients: FloatArray) -> TableSum:
        """The prediction as a sum of tables; more pruning of one group never helps alone."""
        measures = len(self._measures)
        own = coefficients[1 + measures : 1 + measures + len(self._groups)]
        singles = []
        for group in range(len(self._groups)):
            curve = own[group] * self._shape[group]
            for weight, measure in zip(coefficients[1:], self._measures, strict=False):
                curve = curve + weight * measure[group]
            singles.append(np.maximum.accumulate(curve[::-1])[::-1])
        joint = coefficients[1 + measures + len(self._groups) :]
        pairs = {
            (a, b): weight * np.outer(self._shape[a], self._shape[b])
            for (a, b), weight in zip(self._pairs, joint, strict=True)
            if weight != 0.0
        }
        return TableSum(float(coefficients[0]), tuple(singles), pairs)

    def _posterior(
        self, features: FloatArray, values: FloatArray, own: float, joint: float, noise: float
    ) -> Belief:
        deviations = np.concatenate(
            [
                np.full(1 + len(self._measures), _GLOBAL),
                np.full(len(self._groups), own),
                np.full(len(self._pairs), max(joint, 1e-9)),
            ]
        )
        prior = self.prior()
        scaled = features * deviations
        residual = values - features @ prior
        precision = np.eye(self.size) + scaled.T @ scaled / noise**2
        lower = np.linalg.cholesky(precision)
        inverse = np.linalg.inv(lower)
        moved = inverse.T @ (inverse @ (scaled.T @ residual)) / noise**2
        fitted = residual - scaled @ moved
        evidence = (
            -0.5 * (fitted @ residual) / noise**2
            - np.log(np.diag(lower)).sum()
            - len(values) * np.log(noise)
        )
        root = deviations[:, None] * inverse.T
        return Belief(prior + deviations * moved, root, float(evidence))


def _scaled(measure: Curves) -> Curves:
    """A measure whose sum over groups is 1 where every group is at its narrowest."""
    total = sum(float(curve.max()) for curve in measure)
    return tuple(curve / max(total, 1e-12) for curve in measure)


def _unit(curve: FloatArray) -> FloatArray:
    """A curve from 0 to 1."""
    return curve / max(float(curve.max()), 1e-12)
