"""LeGR: evolution of a learned global ranking of filters (Chin et al., 2020, arXiv 1904.12368)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from searchers.base import Arrays, Searcher
from searchers.contract import (
    Done,
    FloatArray,
    MisuseError,
    Outcome,
    Problem,
    SearcherError,
    Suggestion,
    Wait,
)
from searchers.ranking import Ranking, norms_of, threshold
from searchers.restoring import stored
from searchers.seen import Seen
from searchers.uniform import beginnings

_ATTEMPTS = 10


@dataclass(frozen=True)
class _Genome:
    """Alpha and kappa of every group, [G] each, and the loss once it is known."""

    alpha: FloatArray
    kappa: FloatArray
    loss: float = float("nan")


class LeGR(Searcher):
    """Regularised evolution of one affine map per group that ranks all filters globally.

    ::

        >>> from searchers import Done, LeGR
        >>> from searchers.testing import sample_problem, sample_score
        >>> problem = sample_problem(trials=12)
        >>> score = sample_score(problem)
        >>> searcher = LeGR(problem, seed=0)
        >>> while not isinstance(suggestion := searcher.ask(), Done):
        ...     searcher.tell(suggestion.id, score(suggestion))
        >>> looser = sample_problem(budget=0.7)
        >>> bool(looser.feasible(searcher.ranking().widths(looser))[0])
        True

    The first member reproduces the uniform schedule, widened to the budget; the second is the
    identity (alpha 1, kappa 0). Then come random members, then mutations of tournament winners; the
    oldest member makes room. :meth:`ranking` gives the best map found, which answers any other
    budget without training.

    Args:
        problem: every group needs ``unit_norms``.
        seed: of all draws.
        population: size; by default min(64, trials / 4).
        tournament: members drawn with replacement, the fittest of which is the parent.
        mutated: fraction of the groups that a mutation changes.
        first: schedules to begin with before those, as members that rank filters so; one that
            leaves room in the budget is widened as far as its ranking goes.

    Raises:
        ProblemError: a group has no unit_norms.
    """

    name = "legr"
    version = 2

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        population: int | None = None,
        tournament: int = 16,
        mutated: float = 0.1,
        first: Sequence[tuple[int, ...]] = (),
    ) -> None:
        super().__init__(problem, seed=seed)
        size = min(64, max(1, problem.trials // 4)) if population is None else population
        if size < 1 or tournament < 1 or not 0.0 < mutated <= 1.0:
            raise SearcherError(
                "legr: population and tournament must be at least 1 and mutated in (0, 1], got "
                f"{size}, {tournament} and {mutated}"
            )
        self._size, self._tournament = size, tournament
        # The original's int(0.1 L) changes nothing below 10 layers.
        self._changes = max(1, int(mutated * len(problem.groups)))
        self._spread = np.array([norms.std() for norms in norms_of(problem.groups)])
        self._first = [
            _Genome(np.ones(len(w)), _cuts(problem, w)) for w in beginnings(problem, first)
        ]
        self._members: list[_Genome] = []
        self._asked_genomes: dict[int, _Genome] = {}
        self._best: _Genome | None = None
        self._seen = Seen()

    def ranking(self) -> Ranking:
        """The best ranking scored so far.

        Raises:
            MisuseError: nothing has been scored yet.
        """
        if self._best is None:
            raise MisuseError("legr has no ranking yet: tell it at least one successful outcome")
        best = self._best
        return Ranking(tuple(best.alpha.tolist()), tuple(best.kappa.tolist()), best.loss)

    def _propose(self) -> Suggestion | Wait | Done:
        for attempt in range(_ATTEMPTS):
            genome = self._draw(attempt)
            widths = threshold(self.problem, genome.alpha, genome.kappa)
            if widths not in self._seen:
                break
        self._seen.add(widths)
        self._asked_genomes[self._asked] = genome
        return self._suggest(widths)

    def _draw(self, attempt: int) -> _Genome:
        """One to begin with, a random member or a mutation; the former are drawn once."""
        rng = self._rng(self._asked, attempt)
        groups = len(self.problem.groups)
        if self._asked < len(self._first) and attempt == 0:
            return self._first[self._asked]
        if self._asked == len(self._first) and attempt == 0:
            return _Genome(np.ones(groups), np.zeros(groups))
        if self._asked < self._size or not self._members:
            return _Genome(np.exp(rng.normal(size=groups)), rng.normal(size=groups) * self._spread)
        return self._mutation(rng)

    def _mutation(self, rng: np.random.Generator) -> _Genome:
        """A tournament's winner with a few groups changed (algorithm 1)."""
        drawn = rng.integers(len(self._members), size=self._tournament)
        parent = min((self._members[i] for i in drawn), key=lambda member: member.loss)
        alpha, kappa = parent.alpha.copy(), parent.kappa.copy()
        changed = rng.choice(len(alpha), size=self._changes, replace=False)
        # The original's 1 - i / 500 over 400 evaluations, stretched over the job's trials.
        step = 1.0 - self._asked / (1.25 * self.problem.trials)
        alpha[changed] *= np.exp(rng.normal(size=self._changes) * step)
        kappa[changed] += rng.normal(size=self._changes) * self._spread[changed]
        return _Genome(alpha, kappa)

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        asked = self._asked_genomes.pop(suggestion.id)
        if outcome.loss is None or outcome.failed:
            return
        member = _Genome(asked.alpha, asked.kappa, outcome.loss)
        self._members = [*self._members, member][-self._size :]
        if self._best is None or member.loss < self._best.loss:
            self._best = member

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        ids = sorted(self._asked_genomes)
        best = [] if self._best is None else [self._best]
        return {"asked": ids}, {
            "members": self._pack(self._members),
            "asked_genomes": self._pack([self._asked_genomes[key] for key in ids]),
            "best": self._pack(best),
            "seen": self._seen.array(len(self.problem.groups)),
        }

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        groups = len(self.problem.groups)
        members, asked, best = (
            _unpack(stored(arrays, name, (None, 2 * groups + 1)))
            for name in ("members", "asked_genomes", "best")
        )
        self._seen = Seen.stored(arrays, groups)
        self._members = members
        self._asked_genomes = dict(zip(values["asked"], asked, strict=True))
        self._best = best[0] if best else None

    def _pack(self, genomes: list[_Genome]) -> FloatArray:
        """Rows of alpha, kappa and loss, [n, 2 G + 1]."""
        rows = [np.concatenate([g.alpha, g.kappa, [g.loss]]) for g in genomes]
        return np.array(rows, dtype=np.float64).reshape(-1, 2 * len(self.problem.groups) + 1)


def _cuts(problem: Problem, widths: tuple[int, ...]) -> FloatArray:
    """Kappas that put every group's weakest kept filter at a score of 0, at alpha 1; [G]."""
    norms = norms_of(problem.groups)
    kept = [np.sort(of_group)[::-1][w - 1] for of_group, w in zip(norms, widths, strict=True)]
    return -np.array(kept, dtype=np.float64)


def _unpack(rows: FloatArray) -> list[_Genome]:
    groups = (rows.shape[1] - 1) // 2
    return [_Genome(row[:groups], row[groups:-1], float(row[-1])) for row in rows]
