"""Which finalist is exported: the best score that fits and leaves little of the budget unused.

The rule, in the order of the ranking (best score first):

1. the first finalist that fits with its whole 95% interval and uses at least 95% of the budget;
2. where there is none, a further rung that does, sought where it should be by what was measured;
3. where there is none either, the first finalist that fits at all;
4. where nothing fits, the first of ever lower rungs that does.

Scores of neighbouring rungs differ by less than their noise, and what a budget leaves unused is
accuracy lost; so the best score among those near the budget is taken, not the best of all. Whatever
is chosen was measured once more alone beside the unpruned network, as ``verify`` will do it, and
the next one's turn comes when that says no.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from autoprune.budget import milliseconds
from autoprune.errors import BudgetInfeasibleError
from autoprune.jobs.context import SearchContext
from autoprune.jobs.evaluations import Evaluations
from autoprune.jobs.measuring import Bench, measure_ranked
from autoprune.jobs.race import EXTRA, rungs_of, score_one
from autoprune.trials.records import FinalistRecord
from searchers.contract import Load

ENOUGH = 0.95
"""A schedule that uses this much of a bound leaves little of the budget unused."""
NEAR = (0.99, 0.98, 0.97, 0.96)
FAR = (0.92, 0.88, 0.84, 0.80, 0.75, 0.70, 0.60, 0.50)
"""Fractions of the budget at which further rungs should measure."""


@dataclass
class Choice:
    """One job's finalists on the bench.

    Args:
        measured: every schedule that was measured, with what was measured last.
    """

    context: SearchContext
    bench: Bench
    measured: list[FinalistRecord] = field(default_factory=list)

    def make(self, ranking: Sequence[FinalistRecord]) -> FinalistRecord:
        """Measure the finalists and choose by this module's rule; the measurements are stored.

        Args:
            ranking: best score first; the ladder's winner is the first of the race.

        Raises:
            BudgetInfeasibleError: not even the lowest rung fits.
        """
        self._measure(ranking)
        ample = [f for f in self._fitting() if self._used(f) >= ENOUGH]
        chosen = self._confirmed(ample)
        if chosen is None:
            chosen = self._further(NEAR, enough=ENOUGH if self._fitting() else 0.0)
        if chosen is None:
            chosen = self._confirmed([f for f in self._fitting() if not _is_extra(f)])
        if chosen is None:
            chosen = self._further(FAR, enough=0.0)
        if chosen is None:
            raise self._none_fits()
        return chosen

    def _measure(self, finalists: Sequence[FinalistRecord], *, alone: bool = False) -> None:
        self.context.executor.close()  # workers on this machine would disturb the measurement
        found = measure_ranked(self.bench, finalists, self.context.progress, alone=alone)
        slots = {finalist.slot: finalist for finalist in [*self.measured, *found]}
        self.measured = list(slots.values())
        for finalist in found:
            if not _is_extra(finalist):
                self.context.store.measure_finalist(
                    self.context.lease, finalist.slot, finalist.measured or {}
                )

    def _confirmed(self, finalists: Sequence[FinalistRecord]) -> FinalistRecord | None:
        """The first that fits when measured alone; the others' verdicts change."""
        for finalist in finalists:
            self._measure([finalist], alone=True)
            again = next(f for f in self.measured if f.slot == finalist.slot)
            if _fits(again):
                return again
        return None

    def _fitting(self) -> list[FinalistRecord]:
        return [finalist for finalist in self.measured if _fits(finalist)]

    def _used(self, finalist: FinalistRecord) -> float:
        return used(finalist, self.bench.limit_s, self.context.rung)

    def _further(self, targets: Sequence[float], enough: float) -> FinalistRecord | None:
        """Rungs outside the digest, one at a time; scored only once one fits."""
        for rung in self._rungs(targets):
            confirmed = self._confirmed([rung])
            if confirmed is None or self._used(confirmed) < enough:
                continue
            chosen = score_one(self.context, Evaluations(self.context), confirmed)
            if chosen.result is not None and chosen.result.score is not None:
                self.context.store.save_finalists(self.context.lease, [chosen])
                return chosen
        return None

    def _rungs(self, targets: Sequence[float]) -> Iterator[FinalistRecord]:
        """The winner at what predicts each target, by how far measuring was off."""
        if self.bench.limit_s is None:
            return
        stored = self.context.store.finalists(self.context.job.id)
        for target in targets:
            off = np.median([_latency_s(f) / f.predicted["latency_s"] for f in self.measured])
            # An extra one in the store is left of a run that was killed: its slot is free.
            known = [*(f for f in stored if not _is_extra(f)), *self.measured]
            yield from rungs_of(self.context, self.measured[0], [target / float(off)], known, EXTRA)

    def _none_fits(self) -> BudgetInfeasibleError:
        best = min(_latency_s(finalist) for finalist in self.measured)
        return BudgetInfeasibleError(
            f"no finalist meets the budget when measured: the fastest of {len(self.measured)} "
            f"takes {milliseconds(best)}, the budget is {milliseconds(self.bench.limit_s or 0)}. "
            "The table predicts this device badly: run 'autoprune latency check', or measure a "
            "new table"
        )


def used(finalist: FinalistRecord, limit_s: float | None, rung: Callable[[float], Load]) -> float:
    """The largest fraction of a bound that is used: latency as measured, counts exactly.

    Args:
        limit_s: the latency bound, where there is one.
        rung: as for :class:`~autoprune.jobs.context.SearchContext`.
    """
    share = 0.0 if limit_s is None else _latency_s(finalist) / limit_s
    counts = rung(math.inf)(np.array([finalist.widths], dtype=np.float64))
    return max(share, float(counts[0]))


def _fits(finalist: FinalistRecord) -> bool:
    return finalist.measured is not None and bool(finalist.measured["fits"])


def _is_extra(finalist: FinalistRecord) -> bool:
    return finalist.origin.startswith(EXTRA)


def _latency_s(finalist: FinalistRecord) -> float:
    return float((finalist.measured or {}).get("latency_s", math.inf))
