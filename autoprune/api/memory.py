"""Answers about a job, remembered for as long as nothing happens to the job."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from autoprune.trials.records import JobPosition, Json

_KEPT = 64


class Memory:
    """The last answers, each with the position of its job; may be asked by several threads.

    What a job says is read off all of its trials, and many clients ask for the same jobs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, str], tuple[JobPosition, Json]] = OrderedDict()

    def answer(
        self, what: str, job: str, position: JobPosition, compute: Callable[[], Json]
    ) -> Json:
        """The answer for a job at a position; computed where it is not known, once at a time.

        The position must have been read before: then an answer is never older than its position.
        """
        known = self._known(what, job, position)
        if known is not None:
            return known
        with self._lock:
            known = self._known(what, job, position)
            if known is not None:
                return known
            answer = compute()
            self._answers[what, job] = (position, answer)
            self._answers.move_to_end((what, job))
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
            return answer

    def _known(self, what: str, job: str, position: JobPosition) -> Json | None:
        found = self._answers.get((what, job))
        return found[1] if found is not None and found[0] == position else None


class Sealed:
    """Answers that never change, by a hash; the ones asked for last are kept.

    Args:
        kept: how many.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Json] = OrderedDict()

    def answer(self, hash: str, compute: Callable[[], Json]) -> Json:
        """The answer of a hash; computed where it is not kept."""
        with self._lock:
            found = self._answers.get(hash)
            if found is not None:
                self._answers.move_to_end(hash)
                return found
        answer = compute()
        with self._lock:
            self._answers[hash] = answer
            while len(self._answers) > self._kept:
                self._answers.popitem(last=False)
        return answer
