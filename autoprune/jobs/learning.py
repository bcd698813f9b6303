"""What a job's measured finalists teach the calibration: a new record, for the next job.

The job itself stays with the calibration it was planned with. A learned one is offered, that is
stored as the newest of its table and network, only if it is better near the budget: over the
finalists, each held out in turn, it is off by less on average than the old one, which never saw
them. What it loses elsewhere shows in its own held-out error, and so in its margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoprune.jobs.context import Progress
from autoprune.pruning.cost import CostModel
from autoprune.trials.records import FinalistRecord, Json
from autoprune.trials.table_store import TableStore
from latency_tables.calibration import Calibration, fit

MOST_NETWORKS = 100
"""A calibration of so many networks learns no more: another ten would change nothing."""
Pair = tuple[float, float]


@dataclass(frozen=True)
class FinalistLearner:
    """Learns from the finalists of one job.

    Args:
        calibration: the one the job was planned with.
        tables: where an offered one is stored.
    """

    cost: CostModel
    calibration: Calibration
    tables: TableStore

    def learn(self, measured: Sequence[FinalistRecord], progress: Progress) -> Json | None:
        """Fit with the finalists added, and store the new record if it is to be offered.

        Returns:
            ``calibration`` (the new one's hash, None where it is not offered), ``networks`` added,
            their ``pairs`` of summed and measured seconds, and the held-out errors ``error_before``
            and ``error_after``, fractions. None where no finalist is new to the calibration.
        """
        pairs = self._new_pairs(measured)
        if not pairs or len(self.calibration.pairs) + len(pairs) > MOST_NETWORKS:
            return None
        before = _error(self.calibration, pairs)
        after = float(
            np.mean([_held_out_error(self.calibration, pairs, i) for i in range(len(pairs))])
        )
        learned = with_pairs(self.calibration, pairs)
        offered = after < before
        if offered:
            self.tables.save_calibration(
                learned.hash, learned.table, learned.network, learned.to_json()
            )
        said = {
            "calibration": learned.hash if offered else None,
            "networks": len(pairs),
            "pairs": [list(pair) for pair in pairs],
            "error_before": before,
            "error_after": after,
        }
        progress("learned", said)
        return said

    def _new_pairs(self, measured: Sequence[FinalistRecord]) -> list[Pair]:
        """A network the calibration holds already would be held out of nothing."""
        known = {total for total, _ in self.calibration.pairs}
        found: dict[float, float] = {}
        sums = self.cost.sums([finalist.widths for finalist in measured])
        for finalist, total in zip(measured, sums.tolist(), strict=True):
            if finalist.measured is not None and total not in known:
                found.setdefault(total, finalist.measured["latency_s"])
        return list(found.items())


def with_pairs(calibration: Calibration, pairs: Sequence[Pair]) -> Calibration:
    """The calibration fitted again with more networks; its first stays the unpruned one."""
    sums, seconds = zip(*calibration.pairs, *pairs, strict=True)
    return fit(calibration.table, calibration.network, sums, seconds, calibration.repeat_noise)


def _held_out_error(calibration: Calibration, pairs: Sequence[Pair], index: int) -> float:
    rest = [pair for number, pair in enumerate(pairs) if number != index]
    return _error(with_pairs(calibration, rest), [pairs[index]])


def _error(calibration: Calibration, pairs: Sequence[Pair]) -> float:
    """Mean of |predicted - measured| / measured."""
    sums, seconds = np.array(pairs).T
    return float(np.mean(np.abs(calibration.predict(sums) / seconds - 1.0)))
