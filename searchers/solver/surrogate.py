"""What the solver believes of the loss: a sum over groups and pairs, learned as it goes.

The transformed loss of a schedule is modelled as a linear function of features: a few measures of
damage summed over the groups, two smooth curves of every group that can only rise while it is
narrowed, its own steps from each choice to the next narrower one, and products for pairs of
neighbours. It is ridge regression in its Bayesian reading (Bishop, 2006,
sections 3.3 and 3.5; as a Gaussian process, section 6.4): the strengths of the penalties and the
noise are those of the largest evidence, and the posterior gives samples as well as a mean. What it
predicts is a sum of tables, so that the integer program can minimise it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky

from searchers.contract import FloatArray, Group, IntArray
from searchers.solver.tables import Pair, TableSum

BoolArray = npt.NDArray[np.bool_]
Curves = tuple[FloatArray, ...]
"""Damage of every choice of each group, 0 at full width; G arrays [C_g]."""

_SMOOTH = (0.3, 1.0, 3.0)
"""Standard deviations tried of a group's smooth curves at its narrowest, in spreads of the loss."""
_OWN = (0.01, 0.1, 0.3, 1.0)
"""Those of its own steps together."""
_LIKELY_OWN = 0.15
"""Half-normal prior of these: with few noisy scores the evidence alone takes noise for steps."""
_JOINT = (0.0, 0.5, 1.5)
"""Those of a pair, as fractions of a group's steps."""
_NOISE = (0.02, 0.1, 0.3, 0.6, 1.0)
"""Scores after a short finetune differ by half their spread between all but equal schedules."""
_GLOBAL = 3.0
"""Of the constant and of the measures' weights: hardly a penalty."""
_NONE = 1e-12
"""Of what is left out."""


class Strengths(NamedTuple):
    """Standard deviations before anything is told, in spreads of the loss.

    Args:
        smooth: of a group's smooth curves at its narrowest.
        own: of its steps together.
        joint: of a pair's product.
        noise: of a told loss.
    """

    smooth: float
    own: float
    joint: float
    noise: float


_TRIED = tuple(
    Strengths(smooth, own, joint * own, noise)
    for smooth, own, joint, noise in product(_SMOOTH, _OWN, _JOINT, _NOISE)
)


@dataclass(frozen=True)
class Belief:
    """A posterior over the coefficients, kept as what turns residuals into corrections.

    Args:
        prior: mean before anything was told, [D].
        deviations: standard deviations before anything was told, [D].
        scaled: features of what was told times deviations, [N, D].
        values: what was told, [N].
        lower: Cholesky factor of the covariance of what was told, [N, N].
        noise: standard deviation.
        evidence: log marginal likelihood of what was told.
    """

    prior: FloatArray
    deviations: FloatArray
    scaled: FloatArray
    values: FloatArray
    lower: FloatArray
    noise: float
    evidence: float

    def mean(self) -> FloatArray:
        """The most probable coefficients; [D]."""
        return self._corrected(self.prior, np.zeros(len(self.values)))

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """A draw from the posterior: one from the prior, corrected (Matheron's rule); [D]."""
        drawn = self.prior + self.deviations * rng.normal(size=len(self.prior))
        return self._corrected(drawn, self.noise * rng.normal(size=len(self.values)))

    def _corrected(self, coefficients: FloatArray, errors: FloatArray) -> FloatArray:
        predicted = self.scaled @ (coefficients / self.deviations)
        residual = self.values - predicted - errors
        weights = cho_solve((self.lower, True), residual)
        corrected: FloatArray = coefficients + self.deviations * (self.scaled.T @ weights)
        return corrected


class Surrogate:
    """Features of schedules and the regression on them.

    Args:
        groups: G groups.
        measures: damage curves that share one weight each.
        pairs: neighbours with a term of their own.
    """

    def __init__(
        self, groups: Sequence[Group], measures: Sequence[Curves], pairs: Sequence[Pair]
    ) -> None:
        self._groups = groups
        self._measures = [_scaled(measure) for measure in measures]
        self._smooth = _smooth(groups)
        self._pairs = list(pairs)
        self._lost = [1.0 - np.asarray(group.choices) / group.units for group in groups]
        self._sizes = [len(group.choices) - 1 for group in groups]
        # Steps of a group in shares of its whole range of log widths: narrow choices lie close.
        self._steps = [_steps(group) for group in groups]

    @property
    def size(self) -> int:
        """Number of coefficients D: constant, curves, steps, pairs."""
        return 1 + self._rising + sum(self._sizes) + len(self._pairs)

    @property
    def _rising(self) -> int:
        """Number of coefficients that cannot be negative: measures and smooth curves."""
        return len(self._measures) + len(self._smooth)

    def features(self, places: IntArray) -> FloatArray:
        """Positions among the choices [N, G] -> [N, D]."""
        columns = [np.ones((len(places), 1))]
        for measure in (*self._measures, *self._smooth):
            values = [curve[places[:, g]] for g, curve in enumerate(measure)]
            columns.append(np.sum(values, axis=0)[:, None])
        for group, size in enumerate(self._sizes):
            columns.append((places[:, [group]] <= np.arange(size)).astype(np.float64))
        for a, b in self._pairs:
            joint = self._lost[a][places[:, a]] * self._lost[b][places[:, b]]
            columns.append(joint[:, None])
        return np.concatenate(columns, axis=1)

    def prior(self, taken: BoolArray | None = None) -> FloatArray:
        """Mean of the coefficients before anything is told: all measures alike; [D].

        Args:
            taken: which measures and smooth curves count; all without it.
        """
        count = len(self._measures)
        measures = np.ones(count, dtype=bool) if taken is None else taken[:count]
        mean = np.zeros(self.size)
        mean[1 : 1 + count] = measures / max(int(measures.sum()), 1)
        return mean

    def draw_prior(self, rng: np.random.Generator) -> FloatArray:
        """Coefficients as they might be before anything is told: measures weigh otherwise; [D]."""
        drawn = np.zeros(self.size)
        count = len(self._measures)
        drawn[1 : 1 + count] = rng.dirichlet(np.full(count, 0.7))
        return drawn

    def fit(self, places: IntArray, values: FloatArray) -> Belief:
        """The posterior of the largest evidence, without curves that would be worth damage.

        That narrowing never helps is most of what is known before the first trial, and few noisy
        scores suffice with it. Two curves that rise together are also easily told apart wrongly:
        the one gets a large weight and the other a negative one, and both are wrong beyond what was
        told. So the most negative is left out until none is (as non-negative least squares does).

        Args:
            places: told schedules, [N, G].
            values: their transformed losses in units of their spread, [N].
        """
        features = self.features(places)
        taken = np.ones(self._rising, dtype=bool)
        strengths = max(
            _TRIED, key=lambda tried: self._posterior(features, values, taken, tried).evidence
        )
        while True:
            belief = self._posterior(features, values, taken, strengths)
            weights = np.where(taken, belief.mean()[1 : 1 + len(taken)], np.inf)
            if weights.min() >= 0.0 or taken.sum() == 1:
                return belief
            taken[weights.argmin()] = False

    def table(self, coefficients: FloatArray) -> TableSum:
        """The prediction as a sum of tables; narrowing one group never helps by itself.

        No curve counts as worth damage, not in a sample either.
        """
        curves, start = (*self._measures, *self._smooth), 1 + self._rising
        weights = np.maximum(coefficients[1:start], 0.0)
        singles = []
        for group, size in enumerate(self._sizes):
            steps = coefficients[start : start + size]
            curve = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
            for weight, rising in zip(weights, curves, strict=True):
                curve = curve + weight * rising[group]
            singles.append(np.maximum.accumulate(curve[::-1])[::-1])
            start += size
        pairs = {
            (a, b): weight * np.outer(self._lost[a], self._lost[b])
            for (a, b), weight in zip(self._pairs, coefficients[start:], strict=True)
            if abs(weight) > 1e-9
        }
        return TableSum(float(coefficients[0]), tuple(singles), pairs)

    def _posterior(
        self,
        features: FloatArray,
        values: FloatArray,
        taken: BoolArray,
        strengths: Strengths,
    ) -> Belief:
        smooth, own, joint, noise = strengths
        scales = np.repeat([_GLOBAL, smooth], [len(self._measures), len(self._smooth)])
        deviations = np.concatenate(
            [
                [_GLOBAL],
                np.where(taken, scales, _NONE),
                *(own * np.sqrt(steps) for steps in self._steps),
                np.full(len(self._pairs), max(joint, _NONE)),
            ]
        )
        prior = self.prior(taken)
        scaled = features * deviations
        covariance = scaled @ scaled.T + noise**2 * np.eye(len(values))
        lower = cholesky(covariance, lower=True)
        residual = values - features @ prior
        evidence = -0.5 * residual @ cho_solve((lower, True), residual)
        evidence -= float(np.log(np.diag(lower)).sum()) + 0.5 * (own / _LIKELY_OWN) ** 2
        return Belief(prior, deviations, scaled, values, lower, noise, float(evidence))


def _scaled(measure: Curves) -> Curves:
    """A measure whose sum over groups is 1 where every group is at its narrowest."""
    total = sum(float(curve.max()) for curve in measure)
    return tuple(curve / max(total, 1e-12) for curve in measure)


def _smooth(groups: Sequence[Group]) -> list[Curves]:
    """Logarithm of how many times narrower, and its square, of each group by itself; 2 G."""
    none = tuple(np.zeros(len(group.choices)) for group in groups)
    found = []
    for index, group in enumerate(groups):
        narrowing = -np.log(np.asarray(group.choices) / group.choices[-1])
        share = narrowing / max(float(narrowing.max()), 1e-12)
        found += [(*none[:index], share**power, *none[index + 1 :]) for power in (1, 2)]
    return found


def _steps(group: Group) -> FloatArray:
    """Differences of log widths between neighbouring choices, adding up to 1; [C_g - 1]."""
    steps = np.diff(np.log(group.choices))
    return steps / max(float(steps.sum()), 1e-12)
