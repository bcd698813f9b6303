"""The conformance suite catches the faults it is there for."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from searchers import Done, Outcome, Problem, Searcher, SearcherError, Suggestion, Wait
from searchers.base import Arrays
from searchers.random_search import RandomSearch
from searchers.testing import SearcherContract, run, sample_problem, sample_score


class GlobalRandom(RandomSearch):
    """Draws from numpy's global generator."""

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.randint(2**31))


class OverBudget(RandomSearch):
    """Calls the unpruned network a candidate."""

    def _propose(self) -> Suggestion | Wait | Done:
        return self._suggest(self.problem.full)


class Forgetful(RandomSearch):
    """Does not save what it has seen, and goes by it."""

    def _propose(self) -> Suggestion | Wait | Done:
        self._proposed = getattr(self, "_proposed", 0) + 1
        return self._suggest(self._draw(self._proposed))

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        return {}, {"seen": np.empty((0, len(self.problem.groups)), dtype=np.int64)}


class Hasty(RandomSearch):
    """Reseeds at every proposal, whatever the seed."""

    def _draw(self, attempt: int) -> Any:
        self.seed, kept = 0, self.seed
        try:
            return super()._draw(attempt)
        finally:
            self.seed = kept


class Brittle(RandomSearch):
    """Cannot stand a failure."""

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        if outcome.failed:
            raise ValueError("no loss")


class Trusting(RandomSearch):
    """Makes do with a state that lacks what it has seen."""

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        if "seen" in arrays:
            super()._load(values, arrays)


class Waiting(RandomSearch):
    """Waits for nothing."""

    def _propose(self) -> Suggestion | Wait | Done:
        return Wait()


def suite(searcher: type[Searcher]) -> SearcherContract:
    class Suite(SearcherContract):
        trials: ClassVar[int] = 8

        def make_searcher(self, problem: Problem, seed: int) -> Searcher:
            return searcher(problem, seed=seed)

    return Suite()


@pytest.mark.parametrize(
    ("faulty", "check"),
    [
        (GlobalRandom, "test_replay_asks_the_same"),
        (OverBudget, "test_schedules_are_legal_and_candidates_within_budget"),
        (Forgetful, "test_state_goes_on_at_every_phase"),
        (Hasty, "test_seeds_matter"),
        (Trusting, "test_restore_refuses_what_is_damaged"),
        (Brittle, "test_failures_do_not_stop_the_search"),
        (Waiting, "test_ids_count_the_asks"),
        (RandomSearch, "test_trivial_problem_is_learned"),
    ],
)
def test_a_faulty_searcher_fails(faulty: type[Searcher], check: str) -> None:
    with pytest.raises((AssertionError, ValueError, SearcherError)):
        getattr(suite(faulty), check)()


def test_a_sound_searcher_passes_the_same_checks() -> None:
    sound = suite(RandomSearch)
    sound.test_replay_asks_the_same()
    sound.test_schedules_are_legal_and_candidates_within_budget()
    sound.test_state_goes_on_at_every_phase()
    sound.test_seeds_matter()
    sound.test_failures_do_not_stop_the_search()
    sound.test_restore_refuses_what_is_damaged()
    sound.test_ids_count_the_asks()


def test_the_driver_names_a_searcher_that_waits_for_nothing() -> None:
    problem = sample_problem()
    with pytest.raises(SearcherError, match="random waits although nothing is pending"):
        run(Waiting(problem), sample_score(problem))
