"""A searcher that looks at every group alone before its first trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from searchers.base import Arrays, Searcher
from searchers.contract import Done, Outcome, Problem, Suggestion, Wait
from searchers.projection import project


class ProbingSearcher(Searcher):
    """Probes each group at two widths, then narrows most where the losses were least.

    Args:
        chained: each trial starts from the weights of the one before.
    """

    name = "probing"
    carries_weights = True

    def __init__(self, problem: Problem, *, seed: int = 0, chained: bool = False) -> None:
        super().__init__(problem, seed=seed)
        self._losses: dict[int, float] = {}
        self._chained = chained
        self._last: int | None = None

    def _propose(self) -> Suggestion | Wait | Done:
        groups = self.problem.groups
        number = self._asked
        if number < 2 * len(groups):
            group = groups[number // 2]
            widths = self.problem.full.copy()
            widths[number // 2] = group.choices[0 if number % 2 else len(group.choices) // 2]
            return self._suggest(widths, "probe")
        if len(self._losses) < number:
            return Wait()
        losses = np.array([self._losses[2 * index + 1] for index in range(len(groups))])
        noise = self._rng(number).normal(0.0, 0.2, len(groups))
        kept = np.clip(losses / losses.max() + noise, 0.05, 1.0) * self.problem.full
        return self._suggest(project(self.problem, kept), start_from=self._last)

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        self._losses[suggestion.id] = outcome.loss if outcome.loss is not None else 0.0
        if self._chained and suggestion.purpose != "probe" and not outcome.failed:
            self._last = suggestion.id

    def retained(self) -> frozenset[int]:
        return frozenset() if self._last is None else frozenset([self._last])

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        order = sorted(self._losses)
        losses = np.array([self._losses[index] for index in order], dtype=np.float64)
        return {"order": order, "last": self._last}, {"losses": losses}

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        self._losses = dict(zip(values["order"], arrays["losses"].tolist(), strict=True))
        self._last = values["last"]
