"""Small problems whose best schedule is found by trying all."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from searchers import Group, Outcome, Problem, Suggestion
from searchers.solver import Solver
from searchers.solver.tables import Pair, TableSum

Array = npt.NDArray[np.float64]


def all_places(sizes: Sequence[int]) -> npt.NDArray[np.int64]:
    """Every combination of choices, [prod(sizes), G]."""
    return np.array(list(product(*map(range, sizes))), dtype=np.int64)


def all_widths(groups: Sequence[Group]) -> npt.NDArray[np.int64]:
    """Every legal schedule, [N, G]."""
    return np.array(list(product(*(group.choices for group in groups))), dtype=np.int64)


def random_table(
    rng: np.random.Generator, sizes: Sequence[int], pairs: Sequence[Pair], positive: bool = False
) -> TableSum:
    """Random singles and pairs; positive ones add up to a cost that grows with every width."""

    def values(*shape: int) -> Array:
        drawn = rng.uniform(0.1, 1.0, size=shape) if positive else rng.normal(size=shape)
        for axis in range(len(shape)) if positive else ():
            drawn = np.cumsum(drawn, axis=axis)
        return drawn

    singles = tuple(values(size) for size in sizes)
    return TableSum(0.0, singles, {(a, b): values(sizes[a], sizes[b]) for a, b in pairs})


def random_pairs(rng: np.random.Generator, groups: int, share: float) -> list[Pair]:
    """About this share of all pairs."""
    return [pair for pair in combinations(range(groups), 2) if rng.random() < share]


def plain(groups: Sequence[Group]) -> tuple[Group, ...]:
    """The same groups without norms and traits."""
    return tuple(replace(group, unit_norms=None, traits=None) for group in groups)


def additive_score(problem: Problem) -> Callable[[Suggestion], Outcome]:
    """Exp of a sum over groups of importance times log narrowing: what probes say exactly."""
    importance = importances(problem)

    def score(said: Suggestion) -> Outcome:
        narrowing = np.log(problem.full / np.array(said.widths))
        return Outcome(float(np.exp((importance * narrowing).sum())))

    return score


def importances(problem: Problem) -> Array:
    """From 0.02 to 0.5, scattered over the groups; [G]."""
    return 0.02 * 25.0 ** ((np.arange(len(problem.groups)) * 0.618) % 1.0)


def probed(problem: Problem, seed: int = 0, **options: object) -> Solver:
    """A solver that was told its probes and nothing else."""
    solver, score = Solver(problem, seed=seed, **options), additive_score(problem)
    for said in [solver.ask() for _ in range(solver.probes)]:
        assert isinstance(said, Suggestion)
        solver.tell(said.id, score(said))
    return solver


def truth(problem: Problem) -> TableSum:
    """The logarithm of :func:`additive_score`."""
    curves = [
        weight * np.log(group.units / np.array(group.choices))
        for weight, group in zip(importances(problem), problem.groups, strict=True)
    ]
    return TableSum(0.0, tuple(curves), {})
