"""Optuna's multivariate TPE over keep ratios, used as a pure function of the history."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState, create_trial

from searchers.base import Arrays, Searcher
from searchers.contract import (
    Done,
    FloatArray,
    IntArray,
    Outcome,
    Problem,
    SearcherError,
    Suggestion,
    Wait,
)
from searchers.projection import project, widen
from searchers.restoring import stored
from searchers.seen import Seen
from searchers.uniform import beginnings

_ATTEMPTS = 3
_MOST_PARAMETERS = 30
_SHARED_PARAMETERS = 6


class TPE(Searcher):
    """Tree-structured Parzen estimator (Bergstra et al., 2011) over one keep ratio per group.

    ::

        >>> from searchers import Done, TPE
        >>> from searchers.testing import sample_problem, sample_score
        >>> problem = sample_problem(trials=15)
        >>> score = sample_score(problem)
        >>> searcher = TPE(problem, seed=0)
        >>> while not isinstance(suggestion := searcher.ask(), Done):
        ...     searcher.tell(suggestion.id, score(suggestion))

    The first trial is the uniform schedule, widened to the budget. Each later sample is projected
    to the nearest feasible schedule and widened until the budget is used up: what is left of it is
    accuracy given away. Optuna is told the keep ratios that were really evaluated.
    Each ask draws from a sampler seeded by (seed, ask), and leaves no running trial behind, so a
    study kept between asks and one rebuilt from the told history propose the same. Groups that
    cost little share a parameter where there are more than 30. Meant for up to 2,000 trials.

    Args:
        problem: the search space, its cost and its budget.
        seed: of all draws.
        startup: random trials before the estimator takes over; by default min(10, trials / 4).
        first: schedules to begin with, before the uniform one.
    """

    name = "tpe"
    version = 3

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        startup: int | None = None,
        first: Sequence[tuple[int, ...]] = (),
    ) -> None:
        super().__init__(problem, seed=seed)
        self._startup = min(10, max(1, problem.trials // 4)) if startup is None else startup
        if self._startup < 1:
            raise SearcherError(f"tpe: startup must be at least 1, got {startup}")
        self._first = beginnings(problem, first)
        self._parameter = _parameters(problem)
        self._space = _space(problem, self._parameter)
        self._told_widths: list[tuple[int, ...]] = []
        self._told_losses: list[float] = []
        self._seen = Seen()
        self._study = _new_study()

    def _propose(self) -> Suggestion | Wait | Done:
        begins = self._asked < len(self._first)
        widths = self._first[self._asked] if begins else self._sampled()
        self._seen.add(widths)
        return self._suggest(widths)

    def _sampled(self) -> tuple[int, ...]:
        """A feasible schedule near a sample, one not asked yet where few draws find one."""
        for attempt in range(_ATTEMPTS):
            sample = self._sample(attempt) * self.problem.full
            widths = widen(self.problem, project(self.problem, sample))
            if widths not in self._seen:
                break
        return widths

    def _sample(self, attempt: int) -> FloatArray:
        """Keep ratios [G] drawn from what has been told."""
        seed = int(self._rng(self._asked, attempt).integers(2**31))
        with _quiet():
            self._study.sampler = _sampler(seed, self._startup)
            trial = self._study.ask(dict(self._space))
            # A running trial would make the kept study differ from a rebuilt one.
            self._study.tell(trial, state=TrialState.FAIL)
        return np.array([trial.params[_key(p)] for p in self._parameter], dtype=np.float64)

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        loss = float("nan") if outcome.loss is None or outcome.failed else outcome.loss
        self._add(self._study, suggestion.widths, loss)
        self._told_widths.append(suggestion.widths)
        self._told_losses.append(loss)

    def _add(self, study: optuna.Study, widths: tuple[int, ...], loss: float) -> None:
        """Tell Optuna the ratios that were evaluated; a failure teaches it nothing."""
        if not np.isfinite(loss):
            return
        ratios = np.array(widths) / self.problem.full
        params = {
            name: float(np.clip(ratios[self._parameter == number].mean(), space.low, space.high))
            for number, (name, space) in enumerate(self._space.items())
        }
        space: dict[str, BaseDistribution] = dict(self._space)
        with _quiet():
            study.add_trial(create_trial(value=loss, params=params, distributions=space))

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        groups = len(self.problem.groups)
        return {}, {
            "widths": np.array(self._told_widths, dtype=np.int64).reshape(-1, groups),
            "losses": np.array(self._told_losses, dtype=np.float64),
            "seen": self._seen.array(groups),
        }

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:  # noqa: ARG002
        groups = len(self.problem.groups)
        rows = stored(arrays, "widths", (None, groups), np.int64)
        widths = [tuple(int(width) for width in row) for row in rows]
        losses = [float(loss) for loss in stored(arrays, "losses", (len(widths),))]
        seen = Seen.stored(arrays, groups)
        study = _new_study()
        for row, loss in zip(widths, losses, strict=True):
            self._add(study, row, loss)
        self._told_widths, self._told_losses = widths, losses
        self._seen, self._study = seen, study


def _parameters(problem: Problem) -> IntArray:
    """The parameter each group's ratio comes from, [G].

    Up to 30 groups have one each. Of more, the 24 whose full width costs most (against their
    narrowest, the others being full) have their own; the others, in network order, share six.
    """
    groups = len(problem.groups)
    if groups <= _MOST_PARAMETERS:
        return np.arange(groups, dtype=np.int64)
    alone = np.repeat(problem.full[None, :], groups, axis=0)
    np.fill_diagonal(alone, problem.floor)
    by_cost = np.argsort(problem.loads(alone), kind="stable")
    own = _MOST_PARAMETERS - _SHARED_PARAMETERS
    parameter = np.empty(groups, dtype=np.int64)
    parameter[np.sort(by_cost[:own])] = np.arange(own)
    shares = np.array_split(np.sort(by_cost[own:]), _SHARED_PARAMETERS)
    for number, share in enumerate(shares):
        parameter[share] = own + number
    return parameter


def _space(problem: Problem, parameter: IntArray) -> dict[str, FloatDistribution]:
    """One keep ratio per parameter, from the smallest legal one of its groups to 1."""
    smallest = problem.floor / problem.full
    return {
        _key(number): FloatDistribution(float(smallest[parameter == number].min()), 1.0)
        for number in range(int(parameter.max()) + 1)
    }


def _key(number: int) -> str:
    return f"{number:04d}"


def _sampler(seed: int, startup: int) -> optuna.samplers.TPESampler:
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, constant_liar=False, n_startup_trials=startup
    )


def _new_study() -> optuna.Study:
    with _quiet():
        return optuna.create_study(direction="minimize", sampler=_sampler(0, 1))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's log lines and experimental warnings to ourselves, and put both back."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
