"""Random feasible schedules near the budget, best of N."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from searchers.base import Arrays, Searcher
from searchers.contract import Done, IntArray, Outcome, Problem, Suggestion, Wait
from searchers.projection import first_within, shrink_path
from searchers.seen import Seen

_ATTEMPTS = 20


class RandomSearch(Searcher):
    """Keep ratios drawn at random, scaled by a common factor to a load just within the budget.

    ::

        >>> from searchers import Done, RandomSearch
        >>> from searchers.testing import sample_problem, sample_score
        >>> problem = sample_problem(trials=8)
        >>> score = sample_score(problem)
        >>> searcher = RandomSearch(problem, seed=0)
        >>> losses = []
        >>> while not isinstance(suggestion := searcher.ask(), Done):
        ...     outcome = score(suggestion)
        ...     searcher.tell(suggestion.id, outcome)
        ...     losses.append(outcome.loss)
        >>> len(losses)
        8

    With batch-norm recalibration before every score this is EagleEye (Li et al., 2020,
    arXiv 2007.02491).

    Args:
        problem: the search space, its cost and its budget.
        seed: of every draw.
    """

    name = "random"

    def __init__(self, problem: Problem, *, seed: int = 0) -> None:
        super().__init__(problem, seed=seed)
        self._seen = Seen()

    def _propose(self) -> Suggestion | Wait | Done:
        for attempt in range(_ATTEMPTS):
            widths = self._draw(attempt)
            if widths not in self._seen:
                break
        self._seen.add(widths)
        return self._suggest(widths)

    def _draw(self, attempt: int) -> IntArray:
        """A feasible schedule whose load is spread over the last tenth of what can be spent."""
        rng = self._rng(self._asked, attempt)
        ratios = rng.uniform(0.05, 1.0, size=len(self.problem.groups))
        floor = float(self.problem.loads(self.problem.floor)[0])
        limit = floor + (1.0 - floor) * rng.uniform(0.9, 1.0)
        path = shrink_path(self.problem.groups, ratios * self.problem.full, largest=np.inf)
        widths = first_within(self.problem, path, limit)
        return self.problem.floor if widths is None else widths

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        """Nothing is learned."""

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        return {}, {"seen": self._seen.array(len(self.problem.groups))}

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:  # noqa: ARG002
        self._seen = Seen.stored(arrays, len(self.problem.groups))
