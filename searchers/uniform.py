"""One keep ratio for every group: the baseline every search is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from searchers.base import Arrays, Searcher
from searchers.contract import Done, IntArray, Outcome, Problem, Suggestion, Wait
from searchers.projection import first_within, widen, within_budget


class Uniform(Searcher):
    """The largest keep ratio that meets the budget in every group alike; one trial, then Done.

    ::

        >>> from searchers import Uniform
        >>> from searchers.testing import sample_problem, sample_score
        >>> problem = sample_problem()
        >>> searcher = Uniform(problem)
        >>> suggestion = searcher.ask()
        >>> searcher.tell(suggestion.id, sample_score(problem)(suggestion))
        >>> searcher.ask()
        Done()

    A group keeps the widest legal width that is at most the ratio, and never less than its
    narrowest one.
    """

    name = "uniform"

    def _propose(self) -> Suggestion | Wait | Done:
        if self._asked:
            return Done()
        return self._suggest(uniform_widths(self.problem))

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        """Nothing is learned."""

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        return {}, {}

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        """There is no state beyond what every searcher has."""


def uniform_widths(problem: Problem, limit: float = 1.0) -> IntArray:
    """Widths of the largest common keep ratio whose load is at most ``limit``, shape [G]."""
    ratios = np.unique(
        [choice / group.units for group in problem.groups for choice in group.choices]
    )[::-1]
    rows = np.empty((len(ratios), len(problem.groups)), dtype=np.int64)
    for index, group in enumerate(problem.groups):
        # The tolerance keeps a choice at its own ratio despite the division's rounding.
        below = np.searchsorted(group.choices, ratios * group.units * (1.0 + 1e-9), side="right")
        rows[:, index] = np.asarray(group.choices)[np.maximum(below - 1, 0)]
    widest = first_within(problem, rows, limit)
    return problem.floor if widest is None else widest


def filled_uniform(problem: Problem) -> tuple[int, ...]:
    """The uniform schedule, widened in proportion to what the budget leaves of it.

    Legal widths are coarse: one keep ratio for all can leave a good part of the budget unused.
    """
    return widen(problem, uniform_widths(problem))


def beginnings(problem: Problem, first: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Given schedules that are within budget, then the filled uniform one; each once.

    A search that begins with it never ends below the simplest baseline.
    """
    return list(dict.fromkeys([*within_budget(problem, first), filled_uniform(problem)]))
