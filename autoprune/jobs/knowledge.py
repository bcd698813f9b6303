"""What the trials of a job taught: its evaluations, its ranking of filters, its probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoprune.errors import InputError, ReplayMismatchError
from autoprune.evaluation.contract import Metric
from autoprune.jobs.history import outcome_of
from autoprune.jobs.keys import evaluation_key
from autoprune.jobs.planning import Plan
from autoprune.jobs.start import Widths
from autoprune.trials.records import JobRecord, TrialRecord
from autoprune.trials.store import TrialStore
from searchers.base import Searcher
from searchers.contract import Outcome, Suggestion
from searchers.legr import LeGR
from searchers.ranking import Ranking
from searchers.warm_start import WarmStart

LEAST = 2
"""Evaluations without which there is no scale of the loss."""


@dataclass(frozen=True)
class Evaluated:
    """A trial from the base weights that has a score; the loss is what is minimised."""

    trial: int
    widths: Widths
    loss: float


@dataclass(frozen=True)
class Knowledge:
    """What can be used at another budget.

    Args:
        evaluated: in the order they were told; the same widths may come twice.
        ranking: LeGR's best, where the job searched by it.
        probed: what the probe of a schedule gave; a failure where there is none.
    """

    job: str
    metric: Metric
    evaluated: tuple[Evaluated, ...]
    ranking: Ranking | None
    probed: Callable[[Widths], Outcome]


def learn(store: TrialStore, job: JobRecord, plan: Plan) -> Knowledge:
    """Gather what a job knows, in any state of it; evaluates nothing.

    Args:
        plan: the job's own.

    Raises:
        InputError: too few trials have a score.
    """
    trials = store.trials(job.id)
    evaluated = tuple(evaluated_of(trials, plan.metric))
    if len(evaluated) < LEAST:
        raise InputError(
            f"job {job.id} is {job.state} and {len(evaluated)} of its trials from the base weights "
            f"have a score; expected {LEAST} at least to learn from: go on with 'autoprune resume "
            f"{job.id}'"
        )
    names = [group.name for group in plan.subject.space.groups]
    scope, probe = plan.scope(job.environment), plan.probe.to_json()

    def probed(widths: Widths) -> Outcome:
        named = dict(zip(names, widths, strict=True))
        found = store.evaluation(evaluation_key(scope, named, probe, None))
        score = None if found is None else found.score
        return Outcome(None if score is None else plan.metric.as_loss(score))

    return Knowledge(job.id, plan.metric, evaluated, _ranking(plan, trials), probed)


def evaluated_of(trials: Sequence[TrialRecord], metric: Metric) -> list[Evaluated]:
    """The trials from the base weights that have a score.

    Scores of another trial's weights are flattered by what those were finetuned before.
    """
    found = []
    for trial in trials:
        if trial.state != "told" or trial.purpose == "probe" or trial.start_from is not None:
            continue
        outcome = outcome_of(trial, metric)
        if outcome.loss is not None and not outcome.failed:
            found.append(Evaluated(trial.index, trial.widths, outcome.loss))
    return found


def _ranking(plan: Plan, trials: Sequence[TrialRecord]) -> Ranking | None:
    if plan.spec.searcher != LeGR.name:
        return None
    try:
        searcher = replay(plan.searcher(), trials, plan.spec.lookahead, plan.metric)
    except ReplayMismatchError:
        return None  # of another version of LeGR: what was evaluated is still true
    inner = searcher.inner if isinstance(searcher, WarmStart) else searcher
    return inner.ranking() if isinstance(inner, LeGR) else None


def replay(
    searcher: Searcher, trials: Sequence[TrialRecord], lookahead: int, metric: Metric
) -> Searcher:
    """A fresh searcher as it was when the last of its trials was told, by stored results alone.

    Args:
        trials: of a job, in order; told ones first.
        lookahead: of that job.

    Raises:
        ReplayMismatchError: it proposes something else than it did.
    """
    asked = 0
    for told, trial in enumerate(trials):
        if trial.state != "told":
            break
        while asked - told < lookahead and isinstance(said := searcher.ask(), Suggestion):
            if asked < len(trials) and said.widths != trials[asked].widths:
                raise ReplayMismatchError(f"trial {asked} was {trials[asked].widths}")
            asked += 1
        if asked <= told:
            raise ReplayMismatchError(f"trial {told} was asked for before")
        searcher.tell(trial.index, outcome_of(trial, metric))
    return searcher
