"""NetAdapt: greedy descent on the measured cost (Yang et al., 2018, arXiv 1804.03230)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from searchers.base import Arrays, Searcher
from searchers.contract import (
    Done,
    FloatArray,
    Outcome,
    Problem,
    Purpose,
    SearcherError,
    Suggestion,
    Wait,
)
from searchers.netadapt.plan import blocks, forced_moves, moves, plan, planned_steps
from searchers.netadapt.progress import Iteration, Widths, Winner
from searchers.projection import project
from searchers.seen import Seen

Rule = Literal["accuracy", "ratio"]

_ATTEMPTS = 20


class NetAdapt(Searcher):
    """Shrinks the network step by step; every step keeps the block of groups that hurts least.

    ::

        >>> from searchers import Done, NetAdapt, Wait
        >>> from searchers.testing import run, sample_problem, sample_score
        >>> problem = sample_problem(trials=30)
        >>> searcher = NetAdapt(problem, seed=0)
        >>> first, second = searcher.ask(), searcher.ask()
        >>> first.purpose, first.start_from, second.start_from
        ('step', None, None)
        >>> told = run(NetAdapt(problem, seed=0), sample_score(problem), lookahead=4)
        >>> told[-1][0].purpose
        'candidate'

    The moves of one iteration are independent and start from the previous winner's weights; after
    the last of them ask answers Wait until all are told. Earlier iterations are steps, whatever
    meets the budget is a candidate. Once a winner meets the budget, the trials left over go to
    candidates near it, started from the weights its iteration started from.

    Args:
        problem: the search space, its cost and its budget.
        seed: of the variations at the end; the descent itself has no randomness.
        winner: ``accuracy`` takes the highest accuracy (the paper; without accuracies the lowest
            loss), ``ratio`` the least accuracy lost per cost saved (the authors' program).
        decay: factor of the step from one iteration to the next.
    """

    name = "netadapt"
    carries_weights = True

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        winner: Rule = "accuracy",
        decay: float = 0.96,
    ) -> None:
        super().__init__(problem, seed=seed)
        if winner not in ("accuracy", "ratio"):
            raise SearcherError(f"netadapt: winner must be 'accuracy' or 'ratio', got {winner!r}")
        if not 0.0 < decay <= 1.0:
            raise SearcherError(f"netadapt: decay must be in (0, 1], got {decay}")
        self._rule, self._decay = winner, decay
        self._prunable = [i for i, group in enumerate(problem.groups) if len(group.choices) > 1]
        self._plan = plan(problem.trials, len(self._prunable))
        self._winner = Winner(tuple(int(width) for width in problem.full))
        self._goal: Widths | None = None
        self._iteration: Iteration | None = None
        self._begun = 0
        self._seen = Seen()

    def retained(self) -> frozenset[int]:
        """Ids whose weights may still be needed: the last winner's and this iteration's."""
        held = set() if self._winner.trial is None else {self._winner.trial}
        if self._iteration is not None:
            failed = {key for key, said in self._iteration.told.items() if said.failed}
            held |= set(self._iteration.asked) - failed
        return frozenset(held)

    def _propose(self) -> Suggestion | Wait | Done:
        if self._iteration is None and self._goal is None and self._begun < self._plan.iterations:
            self._iteration = self._begin()
        if self._iteration is None:
            return self._issue(self._variation())
        if not self._iteration.queue:
            return Wait()
        widths = self._iteration.queue.pop(0)
        self._iteration.asked[self._asked] = widths
        return self._issue(widths)

    def _issue(self, widths: Widths) -> Suggestion:
        self._seen.add(widths)
        purpose: Purpose = "candidate" if self.problem.feasible(widths)[0] else "step"
        return self._suggest(widths, purpose, self._winner.trial)

    def _begin(self) -> Iteration:
        """The next iteration's moves (algorithm 1)."""
        left = self.problem.trials - self._counted
        iterations = max(1, min(self._plan.iterations - self._begun, left // self._plan.moves))
        parts = blocks(self._prunable, min(self._plan.moves, left), self._begun)
        self._begun += 1
        current = np.array(self._winner.widths, dtype=np.int64)
        load = float(self.problem.loads(current)[0])
        if load <= 1.0:
            return Iteration([self._winner.widths])
        # Planned anew from where the last winner stands, so that the last target is the budget.
        step = planned_steps(load - 1.0, iterations, self._decay)[0]
        target = 1.0 if iterations == 1 else load - step
        queue = moves(self.problem, current, parts, target)
        if not queue or (iterations == 1 and not self.problem.feasible(queue).any()):
            queue = forced_moves(self.problem, current, parts)
        return Iteration(queue)

    def _variation(self) -> Widths:
        """A feasible schedule near the goal, no wider anywhere than the weights it starts from."""
        for attempt in range(_ATTEMPTS):
            widths = project(self.problem, self._vary(self._rng(self._asked, attempt)))
            if widths not in self._seen:
                break
        return widths

    def _vary(self, rng: np.random.Generator) -> FloatArray:
        """Half of the groups given back some of the last cut, then half of them cut; [G]."""
        ceiling = np.array(self._winner.widths, dtype=np.float64)
        goal = ceiling if self._goal is None else np.array(self._goal, dtype=np.float64)
        groups = len(ceiling)
        back = np.where(rng.uniform(size=groups) < 0.5, rng.uniform(size=groups), 0.0)
        kept = np.where(rng.uniform(size=groups) < 0.5, rng.uniform(0.6, 1.0, size=groups), 1.0)
        return np.asarray((goal + back * (ceiling - goal)) * kept, dtype=np.float64)

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        running = self._iteration
        if running is None or suggestion.id not in running.asked:
            return
        running.told[suggestion.id] = outcome
        if running.complete:
            self._conclude(running)
            self._iteration = None

    def _conclude(self, running: Iteration) -> None:
        """Go on from the winner; where every move failed, from where the iteration started."""
        told = {key: said for key, said in running.told.items() if not said.failed}
        if not told:
            return
        chosen = self._choose(told, running.asked)
        widths = running.asked[chosen]
        if self.problem.feasible(widths)[0]:
            self._goal = widths
        else:
            self._winner = Winner(widths, chosen, told[chosen])

    def _choose(self, told: dict[int, Outcome], asked: dict[int, Widths]) -> int:
        """The id of the winner; ties go to the lower load, then to the earlier id."""
        ids = sorted(told)
        loads = dict(zip(ids, self.problem.loads([asked[key] for key in ids]), strict=True))
        before = self._winner.outcome
        known = [*told.values(), *([] if before is None else [before])]
        by_accuracy = all(said.accuracy is not None for said in known)
        worth = {key: -_quality(told[key], by_accuracy) for key in ids}
        if self._rule == "ratio" and before is not None:
            load = float(self.problem.loads(self._winner.widths)[0])
            start = _quality(before, by_accuracy)
            # The authors' program: (accuracy lost + 1e-6) / (cost saved + 1e-5).
            worth = {k: (worth[k] + start + 1e-6) / (load - loads[k] + 1e-5) for k in ids}
        return min(ids, key=lambda key: (worth[key], loads[key], key))

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        values: dict[str, object] = {
            "winner": self._winner.to_json(),
            "goal": None if self._goal is None else list(self._goal),
            "iteration": None if self._iteration is None else self._iteration.to_json(),
            "begun": self._begun,
        }
        return values, {"seen": self._seen.array(len(self.problem.groups))}

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        running, goal = values["iteration"], values["goal"]
        seen = Seen.stored(arrays, len(self.problem.groups))
        iteration = None if running is None else Iteration.from_json(running)
        self._winner = Winner.from_json(values["winner"])
        self._goal = None if goal is None else tuple(goal)
        self._iteration, self._seen = iteration, seen
        self._begun = int(values["begun"])


def _quality(outcome: Outcome, by_accuracy: bool) -> float:
    """Higher is better: the accuracy, or the negated loss where there are no accuracies."""
    value = outcome.accuracy if by_accuracy else outcome.loss
    return float("-inf") if value is None else (value if by_accuracy else -value)
