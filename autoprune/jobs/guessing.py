"""Whether a job's scores are any better than those of a network that guesses: told early."""

from __future__ import annotations

import math
import statistics

import torch

from autoprune.data.dataset import Dataset
from autoprune.evaluation.contract import Fidelity, Metric
from autoprune.jobs.context import SearchContext

TRIALS = 4
"""That are looked at."""
_LEAST = 0.05
"""Of a guess's score: trials that gain less than this hardly differ but by luck."""
_LONGER = 4


def guessing_score(dataset: Dataset, metric: Metric) -> float | None:
    """What saying the same of every validation image scores, at its best; None where unknown.

    For the calibrated loss it is the entropy of the labels; a plain loss can be worse by far.
    """
    if dataset.task is not None or metric.name != "calibrated-loss":
        return None
    shares = torch.bincount(dataset.val.labels).double() / len(dataset.val)
    return -sum(float(share) * math.log(share) for share in shares if share > 0)


class GuessWatch:
    """Looks at the first trials that are scored here, and warns once."""

    def __init__(self, context: SearchContext) -> None:
        self._context = context
        self._scores: list[float] = []

    def see(self, score: float) -> None:
        """The score of one more trial."""
        guess = self._context.guessing
        if guess is None or len(self._scores) >= TRIALS:
            return
        self._scores.append(score)
        typical = statistics.median(self._scores)
        if len(self._scores) == TRIALS and _guesses(typical, guess):
            unpruned = self._context.job.base["score"]
            text = _warning(typical, guess, self._context.fidelity, unpruned)
            self._context.progress("warning", {"text": text})


def _guesses(score: float, guess: float) -> bool:
    return score > (1.0 - _LEAST) * guess


def _warning(typical: float, guess: float, fidelity: Fidelity, unpruned: float) -> str:
    seen = (
        f"{TRIALS} trials score {typical:.3f} (median), hardly better than {guess:.3f}, the score "
        "of saying the same of every image"
    )
    if _guesses(unpruned, guess):
        return (
            f"{seen}, and so does the unpruned network with {unpruned:.3f}: it seems untrained, or "
            "its images are not prepared as in its training. Stop and search again with the "
            "weights it was trained to, --weights FILE"
        )
    longer = _LONGER * fidelity.steps or Fidelity.steps
    return (
        f"{seen}: after {fidelity.steps} steps such networks have not recovered, and their scores "
        "rank by luck. Stop and search again with more steps for each "
        f"trial, --steps {longer}, or with a larger budget"
    )
