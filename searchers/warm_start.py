"""Another searcher that begins where the solver's first answer is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from searchers.base import Arrays, Searcher
from searchers.contract import (
    Done,
    MisuseError,
    Outcome,
    Problem,
    Suggestion,
    Wait,
)
from searchers.nesting import nested, prefixed_arrays, without_arrays
from searchers.solver import Solver


class WarmStart(Searcher):
    """The solver's probes, which are no trials, then a searcher whose first schedule they gave.

    Made by ``make(name, problem, warm_start="solver")``. The first member of LeGR, the first trial
    of TPE and the first episode of AMC are the solver's first answer.

    Args:
        problem: the search space, its cost and its budget.
        seed: of both.
        inner: a class whose option ``first`` takes schedules to begin with.
        options: of that class.
    """

    name = "warm start"

    def __init__(
        self, problem: Problem, *, seed: int = 0, inner: type[Searcher], **options: Any
    ) -> None:
        super().__init__(problem, seed=seed)
        self._solver = Solver(problem, seed=seed)
        self._class, self._options = inner, options
        self._inner: Searcher | None = None
        self._offset = self._solver.probes
        self._build([])  # an option that cannot be used is refused here, not after the probes

    @property
    def inner(self) -> Searcher | None:
        """The searcher that was begun; None while the probes are asked."""
        return self._inner

    def retained(self) -> frozenset[int]:
        """Ids of trials whose weights a later suggestion may start from."""
        kept = frozenset() if self._inner is None else self._inner.retained()
        return frozenset(key + self._offset for key in kept)

    def _build(self, first: list[tuple[int, ...]]) -> Searcher:
        options = {**self._options, "first": [*first, *self._options.get("first", ())]}
        return self._class(self.problem, seed=self.seed, **options)

    def _propose(self) -> Suggestion | Wait | Done:
        if self._asked < self._offset:
            said = self._solver.ask()
        elif self._inner is None and self._pending:
            return Wait()
        else:
            said = self._begun().ask()
        if not isinstance(said, Suggestion):
            return said
        start = None if said.start_from is None else said.start_from + self._offset
        return self._suggest(said.widths, said.purpose, start)

    def _begun(self) -> Searcher:
        if self._inner is None:
            self._inner = self._build([self._solver.answer()])
        return self._inner

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        if suggestion.purpose == "probe":
            self._solver.tell(suggestion.id, outcome)
        else:
            self._begun().tell(suggestion.id - self._offset, outcome)

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        states = [self._solver.state()]
        if self._inner is not None:
            states.append(self._inner.state())
        values: dict[str, object] = {
            "inner": self._class.name,
            "states": [without_arrays(state) for state in states],
        }
        return values, prefixed_arrays(states)

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        if values["inner"] != self._class.name:
            raise MisuseError(
                f"the state is of {values['inner']!r} after the solver, this is "
                f"{self._class.name!r}"
            )
        first, *rest = [
            nested(f"{index}.", said, arrays) for index, said in enumerate(values["states"])
        ]
        self._solver = Solver(self.problem, seed=self.seed)
        self._solver.restore(first)
        self._inner = None
        if rest:
            self._inner = self._build([self._solver.answer()])
            self._inner.restore(rest[0])
