"""Searchers behind Ray Tune's interface, for tests."""

from __future__ import annotations

from typing import Any

from searchers import Outcome, RandomSearch, Suggestion, make
from searchers.ray_tune import TuneSearcher
from searchers.testing import sample_problem, sample_score


class Telling(RandomSearch):
    """Remembers what it was told."""

    def __init__(self, **options: Any) -> None:
        super().__init__(sample_problem(), **options)
        self.told: dict[int, Outcome] = {}

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        self.told[suggestion.id] = outcome


def adapted(name: str) -> TuneSearcher:
    return TuneSearcher(make(name, sample_problem(), 0), metric="loss", mode="min")


def loss_of(config: dict[str, Any]) -> float:
    loss = sample_score(sample_problem())(Suggestion(0, tuple(config["widths"].values()))).loss
    assert loss is not None
    return loss
