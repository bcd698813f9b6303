"""One threshold on the normalised norms of all filters: the baseline of global pruning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from searchers.base import Arrays, Searcher
from searchers.contract import Done, Outcome, Problem, Suggestion, Wait
from searchers.ranking import norms_of, threshold


class GlobalThreshold(Searcher):
    """Filters of least norm go first, wherever they are; one trial, then Done.

    ::

        >>> from searchers import Done, GlobalThreshold
        >>> from searchers.testing import sample_problem, sample_score
        >>> problem = sample_problem()
        >>> searcher = GlobalThreshold(problem)
        >>> suggestion = searcher.ask()
        >>> searcher.tell(suggestion.id, sample_score(problem)(suggestion))
        >>> searcher.ask()
        Done()

    A filter's squared norm is divided by the mean over its group, so that groups can be compared.

    Args:
        problem: every group needs ``unit_norms``.

    Raises:
        ProblemError: a group has no unit_norms.
    """

    name = "global"

    def __init__(self, problem: Problem, *, seed: int = 0) -> None:
        super().__init__(problem, seed=seed)
        means = np.array([norms.mean() for norms in norms_of(problem.groups)])
        self._alpha = 1.0 / np.maximum(means, 1e-300)

    def _propose(self) -> Suggestion | Wait | Done:
        if self._asked:
            return Done()
        return self._suggest(threshold(self.problem, self._alpha, np.zeros(len(self._alpha))))

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        """Nothing is learned."""

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        return {}, {}

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        """There is no state beyond what every searcher has."""
