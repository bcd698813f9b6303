"""A small synthetic problem with a known good answer, to try searchers on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from searchers.contract import (
    FloatArray,
    Group,
    IntArray,
    LayerTraits,
    Load,
    Outcome,
    Problem,
    Suggestion,
)

Score = Callable[[Suggestion], Outcome]


def sample_problem(
    groups: int = 6,
    trials: int = 24,
    budget: float = 0.5,
    staircase: bool = False,
    choices: int = 16,
) -> Problem:
    """A chain of convolutions whose cost is bilinear in neighbouring widths.

    Args:
        groups: G.
        trials: how many may be asked for.
        budget: bound on the cost as a fraction of the unpruned cost.
        staircase: whether the cost is that of widths rounded up to multiples of 8, with a penalty
            on some narrower widths, so that it is neither smooth nor monotone.
        choices: legal widths per group, evenly spaced.
    """
    units = np.array([64 if g % 3 == 1 else 32 for g in range(groups)], dtype=np.int64)
    before = np.concatenate([[16], units[:-1]])
    # Every layer costs about the same, so that no group can pay for all the others.
    pixels = (1.0 + np.arange(groups) % 3) / (before * units)
    made = tuple(_group(g, units, choices) for g in range(groups))
    return Problem(made, _load(units, pixels, budget, staircase), trials)


def sample_score(problem: Problem) -> Score:
    """A score without noise: loss grows as the square of what each group loses.

    Groups differ in importance by up to 30 times, so one keep ratio for all is far from the best.
    """
    importance = _importance(len(problem.groups))

    def score(suggestion: Suggestion) -> Outcome:
        lost = 1.0 - np.array(suggestion.widths) / problem.full
        loss = float((importance * lost**2).sum() / importance.sum())
        return Outcome(loss=loss, accuracy=float(np.exp(-loss)))

    return score


def _importance(groups: int) -> FloatArray:
    """From 1 to 30, scattered over the network in a fixed order."""
    return np.asarray(30.0 ** ((np.arange(groups) * 0.618) % 1.0), dtype=np.float64)


def _group(index: int, units: IntArray, choices: int) -> Group:
    count = int(units[index])
    legal = np.unique(np.ceil(np.linspace(1.0 / choices, 1.0, choices) * count).astype(int))
    before = 16 if index == 0 else int(units[index - 1])
    norms = np.random.default_rng(index).gamma(2.0, 1.0 + index % 4, size=count)
    return Group(
        name=f"conv{index}",
        units=count,
        choices=tuple(int(width) for width in legal),
        unit_norms=norms,
        traits=LayerTraits("conv", before, count, 1, 3, before * count * 9),
    )


def _load(units: IntArray, pixels: FloatArray, budget: float, staircase: bool) -> Load:
    def cost(widths: FloatArray) -> FloatArray:
        wide = np.ceil(widths / 8.0) * 8.0 if staircase else widths
        inputs = np.column_stack([np.full(len(wide), 16.0), wide[:, :-1]])
        work = inputs * wide * pixels
        if staircase:
            work = work * np.where(wide % 16 == 8, 1.3, 1.0)
        return np.asarray(work.sum(axis=1), dtype=np.float64)

    full = float(cost(units[None, :].astype(np.float64))[0])
    return lambda widths: cost(np.asarray(widths, dtype=np.float64)) / (budget * full)
