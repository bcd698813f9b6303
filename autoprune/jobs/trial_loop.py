"""The search: ask, evaluate, tell in trial order; a resume is the same loop over stored results.

After each tell the searcher is asked until ``lookahead`` suggestions are outstanding, or it waits,
or it is done. One transaction holds the tell, the suggestions that followed it, and the checkpoint
when one is due. So the database always stands between two steps of this loop, and replaying it
means running the loop with answers that are known already: every ask is compared with the stored
proposal.
"""

from __future__ import annotations

from autoprune.errors import AutopruneError, ReplayMismatchError
from autoprune.jobs.context import SearchContext
from autoprune.jobs.evaluations import Evaluations, Task
from autoprune.jobs.guessing import GuessWatch
from autoprune.jobs.history import TELLS_PER_CHECKPOINT, outcome_of
from autoprune.jobs.trial_log import TrialLog
from autoprune.trials.records import Checkpoint, NewTrial, TrialRecord, TrialResult
from searchers.base import Searcher
from searchers.contract import MisuseError, SearcherError, Suggestion, Wait


class TrialLoop:
    """Drives one job's searcher from wherever the database says it is."""

    def __init__(self, context: SearchContext, evaluations: Evaluations) -> None:
        self._context = context
        self._evaluations = evaluations
        self._searcher: Searcher = context.make_searcher()
        self._log = TrialLog(context.store, context.job.id, groups=len(context.groups))
        self._outstanding: dict[int, Suggestion] = {}
        self._checkpointed = 0
        self._guesses = GuessWatch(context)

    def run(self) -> None:
        """Go on until the searcher is done and everything it asked is told."""
        self._restore_checkpoint()
        self._ask_and_commit(told=None)
        while self._outstanding:
            index = min(self._outstanding)
            replayed = self._log[index].state == "told"
            if not replayed:
                self._wait_for(index)
            self._tell(index)
            self._ask_and_commit(told=None if replayed else index)

    def _restore_checkpoint(self) -> None:
        state = self._log.resume()
        if state is None:
            return
        try:
            self._searcher.restore(state)
        except MisuseError as error:
            raise ReplayMismatchError(
                f"job {self._context.job.id}: its searcher cannot go on: {error}"
            ) from error
        self._checkpointed = self._log.tells
        for index in range(self._log.tells, self._searcher.asked):
            trial = self._log[index]
            self._outstanding[index] = Suggestion(
                index, trial.widths, trial.purpose, trial.start_from
            )
            self._begin(trial)

    def _ask_and_commit(self, told: int | None) -> None:
        new = [self._proposal(suggestion) for suggestion in self._ask()]
        fresh = [trial for trial in new if trial is not None]
        if told is None and not fresh:
            return
        self._log.ask(fresh)
        wish = self._context.store.commit(
            self._context.lease,
            told=() if told is None else (told,),
            asked=fresh,
            checkpoint=self._checkpoint_if_due(),
            events=[("told", {"trial": told})] if told is not None else [],
        )
        self._context.heed(wish)
        self._forget_weights()
        for trial in fresh:
            self._begin(self._log[trial.index])

    def _ask(self) -> list[Suggestion]:
        suggestions = []
        while len(self._outstanding) < self._context.lookahead:
            answer = self._searcher.ask()
            if isinstance(answer, Wait) and not self._outstanding:
                raise SearcherError(f"{self._searcher.name} waits although nothing is pending")
            if not isinstance(answer, Suggestion):
                break
            self._outstanding[answer.id] = answer
            suggestions.append(answer)
        return suggestions

    def _proposal(self, suggestion: Suggestion) -> NewTrial | None:
        """A new trial, or None for one the database holds already (compared here)."""
        if suggestion.id < len(self._log):
            self._audit(suggestion)
            self._begin(self._log[suggestion.id])
            return None
        self._check_weights(suggestion)
        start = suggestion.start_from
        start_key = None if start is None else self._log[start].evaluation_key
        return NewTrial(
            suggestion.id,
            suggestion.purpose,
            suggestion.widths,
            start,
            self._context.predict([suggestion.widths])[0],
            self._context.key(
                suggestion.widths, self._context.fidelity_of(suggestion.purpose), start_key
            ),
        )

    def _check_weights(self, suggestion: Suggestion) -> None:
        start = suggestion.start_from
        if start is None:
            return
        if "probe" in (suggestion.purpose, self._log[start].purpose):
            raise SearcherError(
                f"{self._searcher.name} lets {suggestion.purpose} {suggestion.id} start from the "
                f"weights of {self._log[start].purpose} {start}: a probe scores the base "
                "weights and leaves none"
            )

    def _audit(self, suggestion: Suggestion) -> None:
        stored = self._log[suggestion.id]
        proposed = (suggestion.widths, suggestion.purpose, suggestion.start_from)
        if proposed != (stored.widths, stored.purpose, stored.start_from):
            raise ReplayMismatchError(
                f"job {self._context.job.id} cannot be resumed exactly: at trial {stored.index} "
                "the "
                f"searcher now proposes {proposed}, the database holds "
                f"{(stored.widths, stored.purpose, stored.start_from)}. Resume with the version of "
                "autoprune that started it, or start a new job: its evaluations will be reused"
            )

    def _begin(self, trial: TrialRecord) -> None:
        if trial.state != "asked":
            return
        start = None if trial.start_from is None else self._weights_of(trial.start_from)
        self._evaluations.start(
            Task(
                str(trial.index),
                trial.evaluation_key,
                trial.widths,
                self._context.fidelity_of(trial.purpose),
                start,
                self._searcher.carries_weights and trial.purpose != "probe",
            )
        )

    def _wait_for(self, index: int) -> None:
        while self._log[index].result is None:
            for ticket, result in self._evaluations.next():
                self._finish(int(ticket), result)

    def _finish(self, index: int, result: TrialResult) -> None:
        self._context.store.finish_trial(self._context.lease, index, result)
        trial = self._log.finish(index, result)
        if trial.purpose != "probe" and result.score is not None:
            self._guesses.see(result.score)
        self._context.progress(
            "trial",
            {
                "index": index,
                "score": result.score,
                "accuracy": result.accuracy,
                "seconds": result.seconds,
                "error": result.error,
                "purpose": trial.purpose,
                **trial.predicted,
            },
        )

    def _tell(self, index: int) -> None:
        self._searcher.tell(index, outcome_of(self._log[index], self._context.metric))
        del self._outstanding[index]
        self._log.tell(index)

    def _checkpoint_if_due(self) -> Checkpoint | None:
        if self._log.tells - self._checkpointed < TELLS_PER_CHECKPOINT:
            return None
        self._checkpointed = self._log.tells
        return self._log.checkpoint(self._searcher)

    def _weights_of(self, index: int) -> bytes:
        """The finetuned weights of a told trial, evaluated again where they were deleted."""
        trial = self._log[index]
        stored = self._evaluations.stored_weights(trial.result)
        if stored is not None:
            return stored
        again = self._evaluations.run(
            Task(
                f"weights of {index}",
                trial.evaluation_key,
                trial.widths,
                self._context.fidelity,
                None if trial.start_from is None else self._weights_of(trial.start_from),
                want_weights=True,
                fresh=True,
            )
        )
        if again.weights is None or trial.result is None or again.score != trial.result.score:
            raise AutopruneError(
                f"trial {index} scored {again.score} when its weights were made again; the "
                "database "
                "holds another score: this machine does not compute what the one before computed"
            )
        self._log.repeat(index, again)
        return self._context.store.get_artifact(again.weights)

    def _forget_weights(self) -> None:
        """Delete weights that no later suggestion can start from."""
        if not self._searcher.carries_weights:
            return
        needed = self._searcher.retained()
        starts = {suggestion.start_from for suggestion in self._outstanding.values()}
        for index, weights in list(self._log.weights.items()):
            if index not in needed and index not in starts:
                if self._context.store.has_artifact(weights):  # not before a resume
                    self._context.store.delete_artifact(weights)
                self._log.forget_weights(index)
