"""The solver: probe, model the loss, minimise the model exactly, evaluate, learn, solve again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from searchers.base import Arrays, Searcher
from searchers.contract import (
    Done,
    FloatArray,
    IntArray,
    MisuseError,
    Outcome,
    Problem,
    SearcherError,
    Suggestion,
    Wait,
)
from searchers.restoring import stored
from searchers.seen import Seen
from searchers.solver.cost import Bounds
from searchers.solver.foresight import Foresight
from searchers.solver.minimax import least_worst
from searchers.solver.nearby import mutants, scattered
from searchers.solver.probes import (
    UNPRUNED,
    Probe,
    norm_lost,
    planned,
    sensitivities,
    shrinkage,
)
from searchers.solver.surrogate import Belief, Curves, Surrogate
from searchers.solver.tables import TableSum, places_of
from searchers.uniform import filled_uniform, uniform_widths

Objective = Literal["sum", "minimax"]
Widths = tuple[int, ...]

_ROUND = 4
"""Trials from one exact solution to the next."""
_ATTEMPTS = 6
_MOST_SCATTERED = 8
_CENTRES = 4
_DIGITS = 9
"""Decimals of coefficients: the last bits of linear algebra differ between machines."""


class Solver(Searcher):
    """Minimises a learned model of the loss exactly, under the latency table.

    ::

        >>> from searchers import Done, Solver, Wait
        >>> from searchers.testing import run, sample_problem, sample_score
        >>> problem = sample_problem(trials=12)
        >>> told = run(Solver(problem, seed=0), sample_score(problem))
        >>> [said.purpose for said, _ in told].count("candidate")
        12

    It begins with probes, each group alone at a few widths, which are no trials. The first trial is
    the uniform schedule, or where something is known its answer. A fifth of the trials, eight at
    most, are scattered around the uniform schedule at random. Then come rounds of four: the
    schedule that minimises the model of the loss within the budget, by mixed integer programming
    over the table; the minima of two samples of the model; and one near the best so far. Each is
    chosen by all that was told before.

    Args:
        problem: the search space, its cost and its budget.
        seed: of the samples that keep it looking around.
        objective: ``sum`` minimises the modelled loss; ``minimax`` the damage to the worst group.
        probes: widths at which each group is probed; 0 does without.
        capacity: how much higher the logarithm of the loss ends, beyond what scores show, where
            all layers are narrower by a factor e (:mod:`searchers.solver.foresight`).
            Scores after short finetunes show little of it; 0 takes them at their word.
        known: schedules and losses told before, of the same groups at any budget.
    """

    name = "solver"
    version = 4

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        objective: Objective = "sum",
        probes: int = 3,
        capacity: float = 0.0,
        known: Sequence[tuple[Widths, float]] = (),
    ) -> None:
        super().__init__(problem, seed=seed)
        if objective not in ("sum", "minimax"):
            raise SearcherError(f"solver: objective must be 'sum' or 'minimax', got {objective!r}")
        if probes < 0:
            raise SearcherError(f"solver: probes must be at least 0, got {probes}")
        self._objective = objective
        self._foresight = Foresight(problem.groups, capacity)
        self._bounds = Bounds(problem, uniform_widths(problem))
        self._planned = planned(problem.groups, probes)
        self._probed: dict[Probe, float] = {}
        self._probes_told = 0
        self._told: list[tuple[Widths, float]] = []
        self._seen = Seen()
        for widths, loss in known:
            self._learn(tuple(widths), Outcome(loss))
        # Of what is known already nothing has to be scattered.
        self._scattered = max(0, min(_MOST_SCATTERED, problem.trials // 5) - len(known))
        self._answer: Widths | None = None
        self._gap: float | None = None
        self._surrogate: Surrogate | None = None
        self._belief: tuple[int, Belief] | None = None

    @property
    def probes(self) -> int:
        """How many probes it begins with."""
        return len(self._planned)

    def _propose(self) -> Suggestion | Wait | Done:
        if self._asked < self.probes:
            return self._suggest(self._probe_widths(self._planned[self._asked]), "probe")
        if self._counted == 0 and not self._told:
            return self._issue(filled_uniform(self.problem))
        if self._probes_told < self.probes:
            return Wait()
        return self._issue(self._next())

    @property
    def gap(self) -> float | None:
        """How far the last exact minimum may be above the model's true one, as a fraction of it.

        That is the integer program's gap to its bound; 0 is proven optimal. None before the first
        one, for ``minimax``, and where no bound could be written as tables. No state holds it.
        """
        return self._gap

    def answer(self) -> Widths:
        """The minimum of the model as it stands, within the budget; asks for nothing.

        :attr:`gap` says how far from the minimum it may be.

        Raises:
            MisuseError: probes were asked that are not told yet.
        """
        if self._probes_told < min(self._asked, self.probes):
            raise MisuseError("the solver's probes are still pending: tell them first")
        return self._minimised(self._coefficients(), exactly=True)

    def expected(self, schedules: Sequence[Widths]) -> FloatArray:
        """Losses of legal schedules [N, G] by the model as it stands; [N].

        Raises:
            MisuseError: fewer than two losses were told, so that it knows no scale.
        """
        if len(self._told) < 2:
            raise MisuseError("the solver expects no loss before it was told two")
        table = self._model().table(self._coefficients())
        _, mean, spread = self._scale()
        losses = mean + spread * table(places_of(self.problem.groups, list(schedules)))
        return np.exp(losses) if self._logarithmic else losses

    def foreseen(self, schedules: Sequence[Widths], losses: Sequence[float]) -> FloatArray:
        """Losses with what narrow layers will add to them (the option ``capacity``).

        Args:
            schedules: legal, [N, G].
            losses: of each, told or expected; [N].
        """
        now, added = np.array(losses, dtype=np.float64), self._foresight.added(schedules)
        if self._told and not self._logarithmic:
            return now + self._scale_of_log() * added
        return now * np.exp(added)

    def learn(self, widths: Widths, outcome: Outcome) -> None:
        """Take in what someone else's trial scored; a failure teaches nothing.

        Raises:
            MisuseError: ``widths`` is no legal schedule.
        """
        if self._learn(widths, outcome):
            self._seen.add(widths)

    def _learn(self, widths: Widths, outcome: Outcome) -> bool:
        """Whether there was anything to learn."""
        self.problem.check_legal(widths)
        if outcome.failed or outcome.loss is None:
            return False
        self._told.append((widths, float(outcome.loss)))
        return True

    def _issue(self, widths: Widths) -> Suggestion:
        self._seen.add(widths)
        return self._suggest(widths)

    def _probe_widths(self, probe: Probe) -> IntArray:
        widths = self.problem.full.copy()
        if probe != UNPRUNED:
            widths[probe[0]] = probe[1]
        return widths

    def _next(self) -> Widths:
        """Scattered; then the model's minimum, two samples' minima, and one near the best ones."""
        if self._counted < self._scattered:
            for attempt in range(_ATTEMPTS):
                widths = scattered(self.problem, self._rng(self._asked, attempt))
                if widths not in self._seen:
                    return widths
        turn = (self._counted - 1) % _ROUND
        if turn == 0 or self._answer is None:
            self._answer = self._minimised(self._coefficients(), exactly=True)
            if self._answer not in self._seen:
                return self._answer
        if turn < _ROUND - 1:
            for attempt in range(_ATTEMPTS):
                drawn = self._coefficients(self._rng(self._asked, attempt))
                widths = self._minimised(drawn, exactly=False)
                if widths not in self._seen:
                    return widths
        return self._near()

    def _minimised(self, coefficients: FloatArray, *, exactly: bool) -> Widths:
        """The schedule within budget that minimises the model, with proof or in a moment."""
        if self._objective == "minimax":
            table = self._model().table(coefficients)
            return least_worst(self.problem, table)
        table = self._goal(coefficients)
        if not exactly:
            return self._bounds.sketch(table)
        widths, proof = self._bounds.solve(table)
        self._gap = None if proof is None else proof.gap
        return widths

    def _near(self) -> Widths:
        """The best of many changes to the answer and the best told, by a sample of the model."""
        table = self._goal(self._coefficients(self._rng(self._asked, _ATTEMPTS)))
        told = [widths for widths, _ in self._told]
        order = np.argsort(self.foreseen(told, [loss for _, loss in self._told]), kind="stable")
        centres = [self._answer or (), *(told[int(index)] for index in order[:_CENTRES])]
        fitting = [w for w in dict.fromkeys(centres) if w and self.problem.feasible(w)[0]]
        rows = mutants(self.problem, fitting, self._rng(self._asked, _ATTEMPTS + 1))
        order = np.argsort(table(places_of(self.problem.groups, rows)), kind="stable")
        new = (row for row in rows[order] if row not in self._seen)
        return tuple(int(width) for width in next(new, rows[order[0]]))

    def _goal(self, coefficients: FloatArray) -> TableSum:
        """What is minimised: the loss as modelled, and what narrow layers will add to it."""
        return self._model().table(coefficients).plus(self._foresight.curves, self._unit())

    def _unit(self) -> float:
        """A change of the logarithm of the loss by 1, in spreads of what was told."""
        if len(self._told) < 2:
            return 0.0  # without a spread the measures alone decide
        return self._scale_of_log() / self._scale()[2]

    def _scale_of_log(self) -> float:
        """The same in the units in which losses are modelled; of a loss L it is a change by L."""
        return 1.0 if self._logarithmic else abs(self._scale()[1])

    def _coefficients(self, rng: np.random.Generator | None = None) -> FloatArray:
        """The model's mean, or with a generator a draw from what it still holds possible; [D]."""
        surrogate = self._model()
        if len(self._told) < 2:
            drawn = surrogate.prior() if rng is None else surrogate.draw_prior(rng)
        else:
            belief = self._fitted(surrogate)
            drawn = belief.mean() if rng is None else belief.sample(rng)
        return np.round(drawn, _DIGITS)

    def _fitted(self, surrogate: Surrogate) -> Belief:
        if self._belief is None or self._belief[0] != len(self._told):
            places = places_of(self.problem.groups, [widths for widths, _ in self._told])
            values, mean, spread = self._scale()
            self._belief = (len(self._told), surrogate.fit(places, (values - mean) / spread))
        return self._belief[1]

    @property
    def _logarithmic(self) -> bool:
        """Whether the logarithm of the loss is modelled, as it can be."""
        return min(loss for _, loss in self._told) > 0.0

    def _scale(self) -> tuple[FloatArray, float, float]:
        """What was told as the model takes it, [N], with its mean and its spread."""
        losses = np.array([loss for _, loss in self._told])
        values = np.log(losses) if self._logarithmic else losses
        return values, float(values.mean()), max(float(values.std()), 1e-12)

    def _model(self) -> Surrogate:
        """Built once the probes are told."""
        if self._surrogate is None:
            groups = self.problem.groups
            measures: list[Curves] = [shrinkage(groups)]
            damage = sensitivities(groups, self._probed) or norm_lost(groups)
            if damage is not None:
                measures.append(damage)
            chain = [(index, index + 1) for index in range(len(groups) - 1)]
            pairs = sorted({*self._bounds.pairs, *chain})
            self._surrogate = Surrogate(groups, measures, pairs)
        return self._surrogate

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        if suggestion.purpose != "probe":
            self._learn(suggestion.widths, outcome)
            return
        self._probes_told += 1
        self._surrogate, self._belief = None, None  # an early answer was of fewer probes
        if outcome.loss is not None and not outcome.failed:
            self._probed[self._planned[suggestion.id]] = float(outcome.loss)

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        groups = len(self.problem.groups)
        probed = list(self._probed.items())
        values = {
            "probes_told": self._probes_told,
            "answer": None if self._answer is None else list(self._answer),
        }
        return values, {
            "probed": np.array([probe for probe, _ in probed], dtype=np.int64).reshape(-1, 2),
            "probe_losses": np.array([loss for _, loss in probed], dtype=np.float64),
            "widths": np.array([w for w, _ in self._told], dtype=np.int64).reshape(-1, groups),
            "losses": np.array([loss for _, loss in self._told], dtype=np.float64),
            "seen": self._seen.array(groups),
        }

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        groups = len(self.problem.groups)
        probed = stored(arrays, "probed", (None, 2), np.int64)
        probe_losses = stored(arrays, "probe_losses", (len(probed),)).tolist()
        widths = stored(arrays, "widths", (None, groups), np.int64)
        losses = stored(arrays, "losses", (len(widths),)).tolist()
        answer = values["answer"]
        probes = [(int(group), int(width)) for group, width in probed]
        self._probed = dict(zip(probes, probe_losses, strict=True))
        rows = [tuple(int(width) for width in row) for row in widths]
        self._told = list(zip(rows, losses, strict=True))
        self._seen = Seen.stored(arrays, groups)
        self._probes_told = int(values["probes_told"])
        self._answer = None if answer is None else tuple(int(width) for width in answer)
        self._surrogate, self._belief = None, None
