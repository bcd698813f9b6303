"""What the driver of one job holds while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autoprune.errors import JobStoppedError
from autoprune.evaluation.contract import Fidelity, Metric, Probe
from autoprune.jobs.executors.port import Executor
from autoprune.jobs.keys import evaluation_key
from autoprune.trials.records import JobRecord, JobState, Json, Lease
from autoprune.trials.store import TrialStore
from searchers.base import Searcher
from searchers.contract import Load, Problem, Purpose

Progress = Callable[[str, dict[str, Any]], None]
"""Called with an event's kind and its payload; must return quickly."""


def silent(kind: str, payload: dict[str, Any]) -> None:
    """A progress that says nothing."""


@dataclass(frozen=True)
class SearchContext:
    """Everything the search and the race need; nothing in it knows the network.

    Args:
        groups: names of the groups, in the order of a schedule's widths.
        make_searcher: a fresh searcher for the job's problem, seed and options.
        rung: fraction of the latency budget -> the load that is 1 there. The problem's own load
            aims lower by the calibration's margin; other bounds are exact and hold as they are.
        predict: schedules -> what the cost model says of each (latency_s, macs, params).
        explain: a schedule -> the time each of its groups saves, by each table.
        scope: the shared part of every evaluation key.
        race: fidelity of the finalists' scores.
        probe: of what the searcher asks for its own use.
        guessing: what saying the same of every image scores; None where that is not known.
    """

    store: TrialStore
    job: JobRecord
    lease: Lease
    groups: tuple[str, ...]
    problem: Problem
    rung: Callable[[float], Load]
    make_searcher: Callable[[], Searcher]
    lookahead: int
    predict: Callable[[Sequence[tuple[int, ...]]], list[Json]]
    explain: Callable[[tuple[int, ...]], list[Json]]
    executor: Executor
    fidelity: Fidelity
    race: Fidelity
    probe: Probe
    metric: Metric
    scope: Json
    progress: Progress = silent
    guessing: float | None = None

    def named(self, widths: Sequence[int]) -> dict[str, int]:
        """Group name -> width."""
        return dict(zip(self.groups, widths, strict=True))

    def fidelity_of(self, purpose: Purpose) -> Fidelity | Probe:
        """How thoroughly a suggestion of this purpose is scored."""
        return self.probe if purpose == "probe" else self.fidelity

    def heed(self, wish: JobState | None) -> None:
        """Stop where somebody asked for it; what was committed is where a resume goes on.

        Args:
            wish: what the last write brought back.

        Raises:
            JobStoppedError: the job is to be paused or cancelled.
        """
        if wish is not None:
            raise JobStoppedError(self.job.id, wish)

    def key(
        self, widths: Sequence[int], fidelity: Fidelity | Probe, start: str | None = None
    ) -> str:
        """Key of the evaluation of one schedule."""
        return evaluation_key(self.scope, self.named(widths), fidelity.to_json(), start)
