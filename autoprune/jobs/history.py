"""A searcher's checkpoints, and the digest of the history each stands for."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable

import numpy as np

from autoprune.evaluation.contract import Metric
from autoprune.spec import METRICS
from autoprune.trials.records import Checkpoint, TrialLine, TrialRecord
from searchers.base import Searcher
from searchers.contract import IntArray, Outcome, SearcherState

TELLS_PER_CHECKPOINT = 50
SCHEDULES = "schedules"
"""In a checkpoint's header: names of the arrays that are the schedules of the trials."""


def outcome_of(trial: TrialRecord, metric: Metric) -> Outcome:
    """What the searcher is told of a finished trial."""
    result = trial.result
    if result is None or result.score is None:
        return Outcome(None)
    # Searchers that prefer accuracy must not be led past a metric of the user's own.
    accuracy = result.accuracy if metric.name in METRICS else None
    return Outcome(metric.as_loss(result.score), accuracy)


class HistoryDigest:
    """Digest of what was asked and of the scores told, in the order of the trials.

    It grows with the history, so that a checkpoint of a job of many trials costs no more than one
    of few.
    """

    def __init__(self) -> None:
        self._asked, self._told = hashlib.sha256(), hashlib.sha256()

    def ask(self, lines: Iterable[TrialLine]) -> None:
        """The next trials were asked."""
        said = (f"{line.trial} {line.purpose} {line.widths} {line.start_from}\n" for line in lines)
        self._asked.update("".join(said).encode())

    def tell(self, told: Iterable[tuple[float | None, float | None]]) -> None:
        """The next trials were told: their scores and accuracies."""
        said = (f"{_exact(score)} {_exact(accuracy)}\n" for score, accuracy in told)
        self._told.update("".join(said).encode())

    def untell(self) -> None:
        """Nothing was told after all."""
        self._told = hashlib.sha256()

    def value(self) -> str:
        """Of all that was asked and told until now, in hex."""
        return hashlib.sha256(self._asked.digest() + self._told.digest()).hexdigest()


def _exact(value: float | None) -> str:
    return "none" if value is None else float(value).hex()


def take(searcher: Searcher, tells: int, history: str, schedules: IntArray) -> Checkpoint:
    """The searcher's state as a record of the database.

    Args:
        schedules: the distinct ones among the trials asked, in their order, [n, G]. An array that
            says the same is left out: it would be written again with every checkpoint, and grow.
    """
    state = searcher.state()
    is_said = {
        name: array.dtype == schedules.dtype and np.array_equal(array, schedules)
        for name, array in state.arrays.items()
    }
    buffer = io.BytesIO()
    own = {name: array for name, array in state.arrays.items() if not is_said[name]}
    np.savez(buffer, allow_pickle=False, **own)
    header = {
        "searcher": state.searcher,
        "version": state.version,
        "problem": state.problem,
        "values": dict(state.values),
        SCHEDULES: sorted(name for name in is_said if is_said[name]),
    }
    return Checkpoint(tells, history, header, buffer.getvalue())


def state_of(checkpoint: Checkpoint, schedules: IntArray) -> SearcherState:
    """The reverse of :func:`take`."""
    header = checkpoint.state
    with np.load(io.BytesIO(checkpoint.arrays), allow_pickle=False) as arrays:
        loaded = {name: arrays[name] for name in arrays.files}
    loaded |= dict.fromkeys(header[SCHEDULES], schedules)
    return SearcherState(
        header["searcher"], header["version"], header["problem"], header["values"], loaded
    )
