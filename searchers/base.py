"""What every searcher shares: ids, call order, the trial limit, state and restore."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from searchers.contract import (
    Done,
    MisuseError,
    Outcome,
    Problem,
    Purpose,
    SearcherState,
    Suggestion,
    Wait,
)
from searchers.restoring import calls_of, check_origin, damage

Arrays = Mapping[str, npt.NDArray[np.generic]]


class Searcher(ABC):
    """Proposes schedules by ask and tell.

    A searcher is a deterministic function of (problem, seed, the sequence of asks and tells).
    Legal orders, with ``s`` a suggestion::

        ask -> s0, ask -> s1, tell(s0), ask -> s2, tell(s1), tell(s2), ask -> Done
        ask -> s0, ask -> Wait, tell(s0), ask -> s1, ...
        ask -> s0, state -> x;  another.restore(x), another.tell(s0), another.ask -> s1

    Tells come in any order as far as this class is concerned; autoprune tells in trial order.
    An unknown id, an id told twice and a state that is damaged or of another searcher, version or
    problem raise :class:`~searchers.contract.MisuseError` and leave the searcher untouched.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    carries_weights: ClassVar[bool] = False
    """Whether suggestions may start from an earlier trial's weights, so that they must be kept."""

    def __init__(self, problem: Problem, *, seed: int = 0) -> None:
        self.problem = problem
        self.seed = seed
        self._asked = 0
        self._counted = 0
        self._pending: dict[int, Suggestion] = {}

    @final
    def ask(self) -> Suggestion | Wait | Done:
        """The next schedule to score, or Wait until a tell, or Done for good."""
        if self._counted >= self.problem.trials:
            return Done()
        proposal = self._propose()
        if not isinstance(proposal, Suggestion):
            return proposal
        self.problem.check_legal(proposal.widths)
        self._pending[proposal.id] = proposal
        self._asked += 1
        self._counted += proposal.purpose != "probe"
        return proposal

    @property
    def asked(self) -> int:
        """How many suggestions were made, probes among them."""
        return self._asked

    @final
    def tell(self, suggestion_id: int, outcome: Outcome) -> None:
        """Report what a pending suggestion scored."""
        suggestion = self._pending.get(suggestion_id)
        if suggestion is None:
            what = "was told already" if 0 <= suggestion_id < self._asked else "was never asked"
            raise MisuseError(
                f"suggestion {suggestion_id} {what}; pending are {sorted(self._pending)}"
            )
        self._observe(suggestion, outcome)
        del self._pending[suggestion_id]

    @final
    def state(self) -> SearcherState:
        """Everything needed to go on from here in another process."""
        values, arrays = self._dump()
        common = {
            "seed": self.seed,
            "asked": self._asked,
            "counted": self._counted,
            "pending": [asdict(self._pending[key]) for key in sorted(self._pending)],
        }
        return SearcherState(
            searcher=self.name,
            version=self.version,
            problem=self.problem.fingerprint,
            values={"common": common, "own": dict(values)},
            arrays=dict(arrays),
        )

    @final
    def restore(self, state: SearcherState) -> None:
        """Go on from a state taken by the same searcher on the same problem with the same seed.

        Raises:
            MisuseError: the state is another's, newer, or damaged; this searcher is untouched.
        """
        check_origin(state, self.name, self.version, self.problem)
        before, own = dict(vars(self)), self._dump()
        try:
            calls = calls_of(state, self.problem, self.seed)
            values: Any = state.values["own"]
            self._load(values, state.arrays)
        except Exception as error:
            vars(self).clear()
            vars(self).update(before)
            self._load(*own)  # objects that it holds may have been loaded in part
            raise damage(error) from error
        self._asked, self._counted, self._pending = calls.asked, calls.counted, calls.pending

    def retained(self) -> frozenset[int]:
        """Ids of trials whose weights a later suggestion may start from."""
        return frozenset()

    @final
    def _suggest(
        self,
        widths: npt.ArrayLike,
        purpose: Purpose = "candidate",
        start_from: int | None = None,
    ) -> Suggestion:
        row = tuple(int(width) for width in np.asarray(widths).ravel())
        return Suggestion(self._asked, row, purpose, start_from)

    @final
    def _rng(self, *key: int) -> np.random.Generator:
        """A generator of its own for (seed, key): nothing to save, nothing shared."""
        return np.random.default_rng([self.seed, *key])

    @abstractmethod
    def _propose(self) -> Suggestion | Wait | Done:
        """Make the next proposal with :meth:`_suggest`; must not count on being accepted."""

    @abstractmethod
    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        """Learn from an outcome; must leave the state untouched if it raises."""

    @abstractmethod
    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        """The searcher's own state: JSON values and arrays."""

    @abstractmethod
    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        """Set the searcher's own state from what :meth:`_dump` gave.

        Read arrays by :func:`searchers.restoring.stored`, which refuses wrong shapes. Whatever is
        raised becomes a MisuseError, and what was set before it is put back.
        """
