"""A fixed split of the trials among the solver and others, which see each other's evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from searchers.base import Arrays, Searcher
from searchers.contract import (
    Done,
    Outcome,
    Problem,
    Suggestion,
    Wait,
)
from searchers.nesting import nested, prefixed_arrays, without_arrays
from searchers.registry import make
from searchers.solver import Solver

Widths = tuple[int, ...]

SHARES = {"global": 0.0, "tpe": 0.15, "legr": 0.10}
"""Of the trials, beside the solver, which has the rest; the threshold has one. Why these:
docs/algorithms/portfolio.md."""


class Portfolio(Searcher):
    """The solver with most of the trials, and others that notice where its model is wrong.

    ::

        >>> from searchers import Portfolio
        >>> from searchers.testing import run, sample_problem, sample_score
        >>> problem = sample_problem(trials=20)
        >>> told = run(Portfolio(problem, seed=0), sample_score(problem))
        >>> sum(said.purpose == "candidate" for said, _ in told)
        20

    They take turns in proportion to their shares. A schedule that was scored for one is not asked
    for again when another proposes it: that one is told at once. The solver learns from all.

    Args:
        problem: every group needs ``unit_norms``.
        seed: of all draws.
        capacity, known: the solver's.

    Raises:
        ProblemError: a group has no unit_norms.
    """

    name = "portfolio"
    version = 5

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        capacity: float = 0.0,
        known: Sequence[tuple[Widths, float]] = (),
    ) -> None:
        super().__init__(problem, seed=seed)
        self._capacity = capacity
        self._solver, self._others = _members(problem, seed, capacity, known)
        self._owners: dict[int, list[tuple[int, int]]] = {}
        self._known: dict[Widths, Outcome] = {}

    @property
    def _members(self) -> list[Searcher]:
        return [self._solver, *self._others]

    def _propose(self) -> Suggestion | Wait | Done:
        for index in [*self._due(), 0]:
            fresh = self._fresh(index)
            if fresh is not None:
                return fresh
        return Wait() if self._pending else Done()

    def _due(self) -> list[int]:
        """The others that lag behind their share; each has one trial after the solver's first."""
        if self._counted == 0:
            return []
        shares = SHARES.values()
        return [
            index
            for index, (other, share) in enumerate(zip(self._others, shares, strict=True), start=1)
            if other.asked < max(1.0, share * self._counted)
        ]

    def _fresh(self, index: int) -> Suggestion | None:
        """A member's next schedule that nobody asked for yet; None where it waits or is done."""
        member = self._members[index]
        while isinstance(said := member.ask(), Suggestion):
            if said.purpose == "probe":
                return self._issue(said, index)
            known = self._known.get(said.widths)
            same = [
                key
                for key, pending in self._pending.items()
                # A probe scores the base weights, which is not what a trial does.
                if pending.widths == said.widths and pending.purpose != "probe"
            ]
            if known is not None:
                member.tell(said.id, known)
            elif same:
                self._owners[same[0]].append((index, said.id))
            else:
                return self._issue(said, index)
        return None

    def _issue(self, said: Suggestion, index: int) -> Suggestion:
        self._owners[self._asked] = [(index, said.id)]
        return self._suggest(said.widths, said.purpose)

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        owners = self._owners.pop(suggestion.id)
        if suggestion.purpose != "probe":
            self._known[suggestion.widths] = outcome
            if not any(index == 0 for index, _ in owners):
                self._solver.learn(suggestion.widths, outcome)
        for index, key in owners:
            self._members[index].tell(key, outcome)

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        states = [member.state() for member in self._members]
        values = {
            "owners": [[key, owners] for key, owners in self._owners.items()],
            "known": [[list(w), *_scores(outcome)] for w, outcome in self._known.items()],
            "members": [without_arrays(state) for state in states],
        }
        return values, prefixed_arrays(states)

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        # The solver's state has the known.
        solver, others = _members(self.problem, self.seed, self._capacity, ())
        for index, (member, said) in enumerate(
            zip([solver, *others], values["members"], strict=True)
        ):
            member.restore(nested(f"{index}.", said, arrays))
        self._solver, self._others = solver, others
        self._known = {tuple(w): Outcome(*scores) for w, *scores in values["known"]}
        self._owners = {
            key: [(index, number) for index, number in owners] for key, owners in values["owners"]
        }


def _members(
    problem: Problem, seed: int, capacity: float, known: Sequence[tuple[Widths, float]]
) -> tuple[Solver, list[Searcher]]:
    # What the others have scored already must not use up the solver's own count.
    trials = 2 * problem.trials
    solver = Solver(replace(problem, trials=trials), seed=seed, capacity=capacity, known=known)
    quotas = {name: max(1, int(share * problem.trials)) for name, share in SHARES.items()}
    others = [make(name, replace(problem, trials=quota), seed) for name, quota in quotas.items()]
    return solver, others


def _scores(outcome: Outcome) -> list[float | None]:
    """Loss and accuracy; those of a failure are None, as JSON has no NaN."""
    return [None, None] if outcome.failed else [outcome.loss, outcome.accuracy]
