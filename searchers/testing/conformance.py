"""What every searcher must do, as tests to inherit."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import ClassVar

import numpy as np

from searchers.base import Searcher
from searchers.contract import Done, Outcome, Problem, SearcherState, Suggestion
from searchers.random_search import RandomSearch
from searchers.testing.bad_input import BadInputContract
from searchers.testing.driver import refill, run
from searchers.testing.fresh_process import replay_in_fresh_process
from searchers.testing.packing import packed, unpacked
from searchers.testing.problems import sample_score


class SearcherContract(BadInputContract):
    """Subclass it in a test file, name the class ``Test...`` and override :meth:`make_searcher`.

    Attributes:
        trials: of the problems used.
        stochastic: whether different seeds must differ.
        learning_trials: trials given to learn the trivial problem.
        learning_groups: groups of the trivial problem.
        learning_margin: by what fraction the loss of the last quarter of the trials (their median,
            and that of three seeds) must be below the median of random schedules; None for
            searchers that do not learn.
    """

    stochastic: ClassVar[bool] = True
    learning_trials: ClassVar[int] = 80
    learning_groups: ClassVar[int] = 8
    learning_margin: ClassVar[float | None] = 0.3

    def test_schedules_are_legal_and_candidates_within_budget(self) -> None:
        """Also where the cost is a staircase that is not monotone."""
        for staircase in (False, True):
            problem = self._problem(staircase=staircase)
            told = run(self.make_searcher(problem, 0), sample_score(problem))
            assert any(suggestion.purpose == "candidate" for suggestion, _ in told)
            for suggestion, _ in told:
                problem.check_legal(suggestion.widths)
                if suggestion.purpose == "candidate":
                    assert problem.feasible(suggestion.widths)[0], suggestion

    def test_candidates_are_within_the_tightest_budget(self) -> None:
        """The budget that only the narrowest schedule meets is met."""
        loose = self._problem()
        floor = float(loose.loads(loose.floor)[0])
        problem = replace(loose, load=lambda widths: loose.load(widths) / floor)
        told = run(self.make_searcher(problem, 0), sample_score(problem))
        candidates = [said for said, _ in told if said.purpose == "candidate"]
        assert candidates
        assert all(problem.feasible(said.widths)[0] for said in candidates)

    def test_trials_are_never_exceeded(self) -> None:
        """Exactly N, or fewer where the searcher is Done before, for any N and lookahead."""
        for trials in (1, 2, 3, 7, self.trials):
            for lookahead in (1, 4):
                problem = self._problem(trials=trials)
                searcher = self.make_searcher(problem, 0)
                told = run(searcher, sample_score(problem), lookahead)
                counted = sum(suggestion.purpose != "probe" for suggestion, _ in told)
                assert 1 <= counted <= trials
                assert isinstance(searcher.ask(), Done)
                assert any(said.purpose == "candidate" for said, _ in told), (trials, lookahead)

    def test_ids_count_the_asks(self) -> None:
        """Ids are 0, 1, 2 ...; start_from names a trial told before, no narrower anywhere."""
        problem = self._problem()
        told = run(self.make_searcher(problem, 0), sample_score(problem))
        assert [suggestion.id for suggestion, _ in told] == list(range(len(told)))
        for suggestion, _ in told:
            if suggestion.start_from is not None:
                assert suggestion.start_from < suggestion.id
                source = told[suggestion.start_from][0].widths
                assert all(w <= s for w, s in zip(suggestion.widths, source, strict=True))

    def test_weights_to_start_from_are_retained(self) -> None:
        """From its tell to the ask that starts from it, a trial is in ``retained``."""
        problem = self._problem()
        searcher, score = self.make_searcher(problem, 0), sample_score(problem)
        kept: set[int] = set()
        outstanding: deque[Suggestion] = deque()
        refill(searcher, outstanding, 4)
        while outstanding:
            oldest = outstanding.popleft()
            assert oldest.start_from is None or oldest.start_from in kept
            searcher.tell(oldest.id, score(oldest))
            kept = (kept | {oldest.id}) & searcher.retained()
            refill(searcher, outstanding, 4)

    def test_replay_asks_the_same(self) -> None:
        """Two searchers told the same propose the same."""
        for lookahead in (1, 4):
            problem = self._problem()
            runs = [
                run(self.make_searcher(problem, 3), sample_score(problem), lookahead)
                for _ in range(2)
            ]
            assert runs[0] == runs[1]

    def test_replay_in_a_fresh_process_asks_the_same(self) -> None:
        """Nothing hangs on this process: no global generator, no hash order, no clock."""
        problem = self._problem()
        told = run(self.make_searcher(problem, 3), sample_score(problem))
        here = [_plain(suggestion) for suggestion, _ in told]
        assert replay_in_fresh_process(type(self), self.trials, seed=3) == here

    def test_global_generators_are_neither_read_nor_moved(self) -> None:
        """Seeding numpy changes no proposal, and searching does not disturb numpy."""
        problem = self._problem()
        score = sample_score(problem)
        np.random.seed(1)
        first = run(self.make_searcher(problem, 0), score)
        drawn = np.random.random()
        np.random.seed(1)
        assert np.random.random() == drawn
        np.random.seed(2)
        assert run(self.make_searcher(problem, 0), score) == first

    def test_state_goes_on_at_every_phase(self) -> None:
        """After every tell, with suggestions pending, a restored searcher goes on alike."""
        problem = self._problem()
        score = sample_score(problem)
        expected = run(self.make_searcher(problem, 5), score)
        searcher = self.make_searcher(problem, 5)
        outstanding: deque[Suggestion] = deque()
        refill(searcher, outstanding, 4)
        told = []
        while outstanding:
            searcher = self._restored(problem, searcher.state(), seed=5)
            suggestion = outstanding.popleft()
            searcher.tell(suggestion.id, score(suggestion))
            told.append((suggestion, score(suggestion)))
            searcher = self._restored(problem, searcher.state(), seed=5)
            refill(searcher, outstanding, 4)
        assert told == expected

    def test_state_does_not_change_with_the_searcher(self) -> None:
        """A state taken is a snapshot: going on does not alter it."""
        problem = self._problem()
        score = sample_score(problem)
        searcher = self.make_searcher(problem, 0)
        told = run(searcher, score, lookahead=1, tells=5)
        state = searcher.state()
        before = packed(state)
        for suggestion in [searcher.ask()]:
            if isinstance(suggestion, Suggestion):
                searcher.tell(suggestion.id, score(suggestion))
        searcher.ask()
        assert told
        assert packed(state) == before

    def test_scores_without_accuracy_are_enough(self) -> None:
        """A task without an accuracy is searched by its loss."""
        problem = self._problem()
        score = sample_score(problem)
        told = run(self.make_searcher(problem, 0), lambda said: Outcome(score(said).loss))
        assert all(outcome.accuracy is None for _, outcome in told)
        assert told

    def test_seeds_matter(self) -> None:
        """Different seeds propose differently, unless the searcher has no randomness."""
        problem = self._problem()
        score = sample_score(problem)
        asked = [
            [said.widths for said, _ in run(self.make_searcher(problem, seed), score)]
            for seed in (0, 1)
        ]
        assert (asked[0] != asked[1]) is self.stochastic

    def test_trivial_problem_is_learned(self) -> None:
        """The last quarter of the trials is better than random schedules by the margin."""
        if self.learning_margin is None:
            return
        problem = self._problem(groups=self.learning_groups, trials=self.learning_trials)
        score = sample_score(problem)
        ours = [_late(run(self.make_searcher(problem, seed), score)) for seed in range(3)]
        drawn = run(RandomSearch(problem, seed=0), score)
        random = float(np.median([outcome.loss for _, outcome in drawn]))
        assert float(np.median(ours)) <= (1.0 - self.learning_margin) * random, (ours, random)

    def _restored(self, problem: Problem, state: SearcherState, seed: int) -> Searcher:
        """A new searcher from a state that went through JSON and an npz file."""
        searcher = self.make_searcher(problem, seed)
        searcher.restore(unpacked(*packed(state)))
        return searcher


def _late(told: list[tuple[Suggestion, Outcome]]) -> float:
    """Median loss of the last quarter of the candidates."""
    losses = [
        outcome.loss
        for suggestion, outcome in told
        if suggestion.purpose == "candidate" and outcome.loss is not None
    ]
    return float(np.median(losses[-max(1, len(losses) // 4) :]))


def _plain(suggestion: Suggestion) -> list[object]:
    return [suggestion.id, list(suggestion.widths), suggestion.purpose, suggestion.start_from]
