"""A searcher's checkpoints, and the digest of the history each stands for."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from autoprune.evaluation.contract import Metric
from autoprune.jobs.keys import hash_of
from autoprune.spec import METRICS
from autoprune.trials.records import Checkpoint, TrialRecord
from searchers.base import Searcher
from searchers.contract import Outcome, SearcherState

TELLS_PER_CHECKPOINT = 50


def outcome_of(trial: TrialRecord, metric: Metric) -> Outcome:
    """What the searcher is told of a finished trial."""
    result = trial.result
    if result is None or result.score is None:
        return Outcome(None)
    # Searchers that prefer accuracy must not be led past a metric of the user's own.
    accuracy = result.accuracy if metric.name in METRICS else None
    return Outcome(metric.as_loss(result.score), accuracy)


def history_digest(trials: Sequence[TrialRecord], tells: int, metric: Metric) -> str:
    """Digest of the asks in ``trials`` and of the outcomes of the first ``tells`` of them."""
    asked = [[t.index, t.purpose, list(t.widths), t.start_from] for t in trials]
    told = []
    for trial in trials[:tells]:
        outcome = outcome_of(trial, metric)
        told.append(
            [
                value.hex() if value is not None else None
                for value in (outcome.loss, outcome.accuracy)
            ]
        )
    return hash_of({"asked": asked, "told": told})


def take(searcher: Searcher, tells: int, history: str) -> Checkpoint:
    """The searcher's state as a record of the database."""
    state = searcher.state()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(state.arrays))
    header = {
        "searcher": state.searcher,
        "version": state.version,
        "problem": state.problem,
        "values": dict(state.values),
    }
    return Checkpoint(tells, history, header, buffer.getvalue())


def state_of(checkpoint: Checkpoint) -> SearcherState:
    """The reverse of :func:`take`."""
    with np.load(io.BytesIO(checkpoint.arrays), allow_pickle=False) as arrays:
        loaded = {name: arrays[name] for name in arrays.files}
    header = checkpoint.state
    return SearcherState(
        header["searcher"], header["version"], header["problem"], header["values"], loaded
    )
