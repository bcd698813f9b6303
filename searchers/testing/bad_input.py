"""What every searcher must refuse or survive, as tests to inherit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from searchers.base import Searcher
from searchers.contract import (
    Group,
    MisuseError,
    Outcome,
    Problem,
    ProblemError,
    SearcherState,
    Suggestion,
)
from searchers.testing.driver import run
from searchers.testing.packing import packed
from searchers.testing.problems import Score, sample_problem, sample_score

_NO_SCORES = (None, math.nan, math.inf, -math.inf)


class BadInputContract:
    """Part of :class:`~searchers.testing.SearcherContract`.

    Attributes:
        trials: of the problems used.
    """

    trials: ClassVar[int] = 24

    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        """Build the searcher under test."""
        raise NotImplementedError

    def test_restore_refuses_another_search(self) -> None:
        """Another searcher, version, problem or seed; the searcher goes on untouched."""
        problem = self._problem()
        state = self.make_searcher(problem, 0).state()
        common: Any = state.values["common"]
        other_seed = {**state.values, "common": {**common, "seed": 1}}
        searcher = self.make_searcher(problem, 0)
        for wrong in (
            replace(state, searcher="another"),
            replace(state, version=state.version - 1),
            replace(state, problem=self._problem(groups=5).fingerprint),
            replace(state, values=other_seed),
        ):
            assert "cannot restore: " in misuse_of(partial(searcher.restore, wrong))
        score = sample_score(problem)
        assert run(searcher, score) == run(self.make_searcher(problem, 0), score)

    def test_restore_says_that_a_newer_version_wrote_a_state(self) -> None:
        """Its format may be anything: the message says to update."""
        searcher = self.make_searcher(self._problem(), 0)
        state = searcher.state()
        newer = replace(state, version=state.version + 1, values={}, arrays={})
        said = misuse_of(partial(searcher.restore, newer))
        assert "newer" in said
        assert "update" in said

    def test_restore_refuses_what_is_damaged(self) -> None:
        """Anything missing, an array of another shape or kind; the searcher is untouched."""
        problem = self._problem()
        score = sample_score(problem)
        searcher = self.make_searcher(problem, 0)
        run(searcher, score, tells=max(1, self.trials // 2))
        before = packed(searcher.state())
        for what, wrong in _damaged(searcher.state()):
            said = misuse_of(partial(searcher.restore, wrong), what)
            assert "cannot restore: " in said, what
        assert packed(searcher.state()) == before
        fresh = self.make_searcher(problem, 0)
        for what, wrong in list(_damaged(searcher.state()))[::7]:
            misuse_of(partial(fresh.restore, wrong), what)
        assert run(fresh, score) == run(self.make_searcher(problem, 0), score)

    def test_misuse_leaves_the_searcher_untouched(self) -> None:
        """An id never asked and an id told twice raise, and nothing else changes."""
        problem = self._problem()
        score = sample_score(problem)
        searcher = self.make_searcher(problem, 0)
        first = searcher.ask()
        assert isinstance(first, Suggestion)
        misuse_of(lambda: searcher.tell(99, Outcome(1.0)))
        searcher.tell(first.id, score(first))
        before = packed(searcher.state())
        misuse_of(lambda: searcher.tell(first.id, score(first)))
        assert packed(searcher.state()) == before

    def test_failures_do_not_stop_the_search(self) -> None:
        """Every third trial failing, or all of them, without a score or one that is not finite."""
        for nothing_works in (False, True):
            problem = self._problem()
            score = _failing(sample_score(problem), nothing_works)
            searcher = self.make_searcher(problem, 0)
            told = run(searcher, score)
            assert any(suggestion.purpose == "candidate" for suggestion, _ in told)
            json.dumps(searcher.state().values, allow_nan=False)
            # Compared without the outcomes: NaN is unequal to itself.
            again = run(self.make_searcher(problem, 0), score)
            assert [said for said, _ in told] == [said for said, _ in again]

    def test_an_accuracy_that_is_not_finite_is_a_failure(self) -> None:
        """It teaches what a trial without a score does."""
        problem = self._problem()
        score = sample_score(problem)

        def asked(failure: Outcome) -> list[Suggestion]:
            searcher = self.make_searcher(problem, 0)
            told = run(searcher, lambda said: score(said) if said.id % 3 else failure)
            return [suggestion for suggestion, _ in told]

        assert asked(Outcome(0.5, math.nan)) == asked(Outcome(None))

    def test_groups_of_one_width_keep_it(self) -> None:
        """Where some groups leave no choice, the others are searched."""
        problem = self._problem()
        groups = tuple(
            replace(group, choices=(group.units,)) if index % 2 else group
            for index, group in enumerate(problem.groups)
        )
        fixed = replace(problem, groups=groups)
        told = run(self.make_searcher(fixed, 0), sample_score(fixed))
        assert any(fixed.feasible(said.widths)[0] for said, _ in told)
        for said, _ in told:
            fixed.check_legal(said.widths)

    def test_what_groups_lack_is_not_needed_or_named(self) -> None:
        """Without unit_norms and traits a searcher searches, or names a group that lacks them."""
        problem = self._problem()
        bare = replace(problem, groups=tuple(_bare(group) for group in problem.groups))
        try:
            searcher = self.make_searcher(bare, 0)
        except ProblemError as error:
            refusal = str(error)
        else:
            told = run(searcher, sample_score(bare))
            assert any(said.purpose == "candidate" for said, _ in told)
            return
        assert f"{bare.groups[0].name!r} has no " in refusal

    def _problem(
        self, groups: int = 6, trials: int | None = None, staircase: bool = False
    ) -> Problem:
        return sample_problem(groups, self.trials if trials is None else trials, 0.5, staircase)


def misuse_of(call: Callable[[], object], what: str = "the call") -> str:
    """The message of the MisuseError that a call raises; anything else fails the test."""
    try:
        call()
    except MisuseError as error:
        return str(error)
    raise AssertionError(f"{what}: expected a MisuseError, nothing was raised")


def _damaged(state: SearcherState) -> Iterator[tuple[str, SearcherState]]:
    """The state with one thing missing or wrong, for everything in it."""
    values: dict[str, Any] = dict(state.values)
    for part, content in values.items():
        yield f"without {part}", replace(state, values=_without(values, part))
        for key in content:
            less = {**values, part: _without(content, key)}
            yield f"without {part}.{key}", replace(state, values=less)
    for said in values["common"]["pending"][:1]:
        for wrong in (_without(said, "widths"), {**said, "widths": [0]}, {**said, "id": 9999}):
            common = {**values["common"], "pending": [wrong]}
            yield f"pending {wrong}", replace(state, values={**values, "common": common})
    for name, array in state.arrays.items():
        yield f"without array {name}", replace(state, arrays=_without(state.arrays, name))
        for kind, other in (("deeper", array[None]), ("as text", np.full(array.shape, "?"))):
            yield f"array {name} {kind}", replace(state, arrays={**state.arrays, name: other})


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _failing(score: Score, nothing_works: bool) -> Score:
    def fails(suggestion: Suggestion) -> Outcome:
        if nothing_works or suggestion.id % 3 == 0:
            return Outcome(_NO_SCORES[suggestion.id % len(_NO_SCORES)])
        return score(suggestion)

    return fails


def _bare(group: Group) -> Group:
    return replace(group, unit_norms=None, traits=None)
