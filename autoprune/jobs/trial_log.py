"""The trials of a job as its driver goes through them, without holding all of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from autoprune.jobs.history import HistoryDigest, state_of, take
from autoprune.trials.column_types import json_text
from autoprune.trials.reading_store import LINES
from autoprune.trials.records import Checkpoint, NewTrial, TrialLine, TrialRecord, TrialResult
from autoprune.trials.store import TrialStore
from searchers.base import Searcher
from searchers.contract import SearcherState
from searchers.seen import Seen

_PAGE = 200
"""Trials read at once where a history is replayed."""


class TrialLog:
    """What was asked, what came of it, and what was told.

    Legal order::

        log.resume() -> state       # or None: the history is to be replayed from its beginning
        log.ask([t0, t1]), log.finish(1, result), log.finish(0, result), log.tell(0)

    In memory are the trials that are not told, the schedules of all, and their digest. A trial that
    was told is read from the database where somebody wants it again, which only trials that start
    from its weights do. So a step reads nothing of the trials before it, and a resume a line of
    each.

    Args:
        store: is read; the driver writes.
        job: its id.
        groups: how many widths a schedule has.
    """

    def __init__(self, store: TrialStore, job: str, groups: int) -> None:
        self._store, self._job, self._groups = store, job, groups
        self._digest = HistoryDigest()
        self._schedules = Seen()
        self._records: dict[int, TrialRecord] = {}
        self._asked = 0
        self.tells = 0
        self.weights: dict[int, str] = {}
        """Artifacts of trials that were told, unless they were forgotten since."""

    def __len__(self) -> int:
        """How many trials were asked."""
        return self._asked

    def __getitem__(self, index: int) -> TrialRecord:
        """One trial that was asked."""
        if index not in self._records:
            if index < self.tells:
                return self._store.trials(self._job, index, 1)[0]
            for trial in self._store.trials(self._job, index, _PAGE):
                self._records.setdefault(trial.index, trial)
        return self._records[index]

    def resume(self) -> SearcherState | None:
        """Read what the database holds; the state at its checkpoint, where that is of use.

        A checkpoint stands for a history, and its digest is compared with that of the trials: the
        history is the truth, and without a checkpoint all of it is replayed.
        """
        checkpoint = self._store.checkpoint(self._job)
        if checkpoint is None:
            self._read()
            return None
        asked = int(checkpoint.state["values"]["common"]["asked"])
        self._read(asked, checkpoint.tells)
        state = None
        if self._digest.value() == checkpoint.history:
            state = state_of(checkpoint, self._schedules.array(self._groups))
            self.tells = checkpoint.tells
        else:
            self._digest.untell()
            self.weights.clear()
        self._read()
        return state

    def _read(self, end: int = sys.maxsize, tells: int = 0) -> None:
        """Enter the stored trials from the next one on, the first ``tells`` of them as told."""
        while self._asked < end:
            limit = min(LINES, end - self._asked)
            lines = self._store.trial_lines(self._job, self._asked, limit)
            if not lines:
                return
            self._enter(lines)
            told = [line for line in lines if line.trial < tells]
            self._digest.tell((line.score, line.accuracy) for line in told)
            self.weights.update(
                {line.trial: line.weights for line in told if line.weights is not None}
            )

    def _enter(self, lines: Sequence[TrialLine]) -> None:
        self._digest.ask(lines)
        self._schedules.update(json.loads(f"[{','.join(line.widths for line in lines)}]"))
        self._asked += len(lines)

    def ask(self, trials: Sequence[NewTrial]) -> None:
        """Suggestions that the database does not hold yet."""
        for trial in trials:
            self._records[trial.index] = TrialRecord(**vars(trial), state="asked", result=None)
        self._enter(
            [TrialLine(t.index, t.purpose, json_text(list(t.widths)), t.start_from) for t in trials]
        )

    def finish(self, index: int, result: TrialResult) -> TrialRecord:
        """A result that waits for its turn."""
        self._records[index] = replace(self[index], state="finished", result=result)
        return self._records[index]

    def tell(self, index: int) -> None:
        """The searcher was told, in the order of the trials."""
        result = self[index].result
        told = (None, None) if result is None else (result.score, result.accuracy)
        self._digest.tell([told])
        if result is not None and result.weights is not None:
            self.weights[index] = result.weights
        del self._records[index]
        self.tells += 1

    def repeat(self, index: int, result: TrialResult) -> None:
        """A told trial was evaluated once more, for its weights."""
        self._records[index] = replace(self[index], result=result)
        if result.weights is not None:
            self.weights[index] = result.weights

    def forget_weights(self, index: int) -> None:
        """The weights of a told trial were deleted."""
        del self.weights[index]
        self._records.pop(index, None)

    def checkpoint(self, searcher: Searcher) -> Checkpoint:
        """The searcher's state after the last tell."""
        schedules = self._schedules.array(self._groups)
        return take(searcher, self.tells, self._digest.value(), schedules)
