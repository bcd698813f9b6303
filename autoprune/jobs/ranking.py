"""How well a trial's score ranks schedules: against the longer scores of the race's schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from autoprune.evaluation.contract import Fidelity
from autoprune.jobs.context import SearchContext
from autoprune.trials.records import FinalistRecord, Json, TrialRecord
from autoprune.trials.store import TrialStore
from latency_tables.rank_correlation import rank_correlation

FEWEST = 4
"""A rank correlation over fewer schedules says nothing."""
WEAK = 0.5
"""Below this the search ranks by little more than chance."""


def agreement_of(store: TrialStore, job: str, finalists: Sequence[FinalistRecord]) -> Json:
    """The rank correlation of a job, of which its finalists' trials alone are read."""
    return rank_agreement(store.trials_at(job, {f.trial for f in finalists}), finalists)


def rank_agreement(trials: Mapping[int, TrialRecord], finalists: Sequence[FinalistRecord]) -> Json:
    """Spearman's rank correlation between trials' scores and the same schedules' longer scores.

    Args:
        trials: those of the finalists at least, by index.
        finalists: racers and controls count, and of them those that have both scores.

    Returns:
        ``schedules`` that were compared, and ``spearman``, in [-1, 1]; None where they are fewer
        than four, or where all of them tie.
    """
    pairs = np.array(list(_pairs(trials, finalists)), dtype=np.float64).reshape(-1, 2)
    spearman = rank_correlation(pairs[:, 0], pairs[:, 1]) if len(pairs) >= FEWEST else None
    return {"schedules": len(pairs), "spearman": spearman}


def _pairs(
    trials: Mapping[int, TrialRecord], finalists: Sequence[FinalistRecord]
) -> Iterator[tuple[float, float]]:
    for finalist in finalists:
        if finalist.origin not in ("race", "control"):
            continue
        trial = trials[finalist.trial]
        if trial.evaluation_key == finalist.evaluation_key:
            continue  # a race of no more steps: this is the trial's own score again
        short, long = trial.result, finalist.result
        if short and long and short.score is not None and long.score is not None:
            yield short.score, long.score


def warn_of_ranking(context: SearchContext) -> None:
    """Say so where the scores of trials rank badly, and what helps."""
    store, job = context.store, context.job.id
    found = agreement_of(store, job, store.finalists(job))
    if found["spearman"] is not None and found["spearman"] < WEAK:
        context.progress("warning", {"text": ranking_warning(found, context.fidelity)})


def ranking_warning(found: Json, fidelity: Fidelity) -> str:
    """What to say of a weak rank correlation.

    Args:
        found: by :func:`rank_agreement`.
        fidelity: of a trial.
    """
    steps = f"--steps {2 * fidelity.steps or Fidelity.steps} (now {fidelity.steps})"
    images = fidelity.validation_images
    more = f", or more images, --validation-images {2 * images} (now {images})" if images else ""
    return (
        f"the scores of trials rank badly: their rank correlation with the longer scores of "
        f"{found['schedules']} schedules is {found['spearman']:.2f}. Scores this short do not tell "
        "which schedule is best after a longer finetune. Search again with more steps for each "
        f"trial, {steps}{more}"
    )
