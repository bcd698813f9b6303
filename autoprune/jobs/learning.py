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
from latency_tables.law import fit_law
from latency_tables.network_sums import FloatArray, NetworkSums

MOST_NETWORKS = 100
"""A calibration of so many networks learns no more: another ten would change nothing."""


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
        sums, seconds = self._new_networks(measured)
        if not len(sums) or self.calibration.networks + len(sums) > MOST_NETWORKS:
            return None
        before = _mean_error(self.calibration.predict(sums), seconds)
        after = _held_out_error(self.calibration, sums, seconds)
        learned = with_networks(self.calibration, sums, seconds)
        offered = after < before
        if offered:
            self.tables.save_calibration(
                learned.hash, learned.table, learned.network, learned.to_json()
            )
        said = {
            "calibration": learned.hash if offered else None,
            "networks": len(sums),
            "pairs": [list(p) for p in zip(sums.hot.tolist(), seconds.tolist(), strict=True)],
            "error_before": before,
            "error_after": after,
        }
        progress("learned", said)
        return said

    def _new_networks(self, measured: Sequence[FinalistRecord]) -> tuple[NetworkSums, FloatArray]:
        """Sums and measured seconds; a network that is known would be held out of nothing."""
        finalists = [finalist for finalist in measured if finalist.measured is not None]
        sums = self.cost.network_sums([finalist.widths for finalist in finalists])
        known = {run.hot_s for run in self.calibration.runs}
        new: dict[float, int] = {}
        for index, total in enumerate(sums.hot.tolist()):
            if total not in known:
                new.setdefault(total, index)
        rows = list(new.values())
        seconds = [(finalists[index].measured or {})["latency_s"] for index in rows]
        return sums.take(np.array(rows, dtype=np.int64)), np.array(seconds, dtype=np.float64)


def with_networks(calibration: Calibration, sums: NetworkSums, seconds: FloatArray) -> Calibration:
    """The calibration fitted again with more networks; its first stays the unpruned one.

    Args:
        sums, seconds: of the table and as measured, [N].
    """
    every, times = _joined(calibration, sums, seconds)
    return fit(calibration.table, calibration.network, every, times, calibration.repeat_noise)


def _joined(
    calibration: Calibration, sums: NetworkSums, seconds: FloatArray
) -> tuple[NetworkSums, FloatArray]:
    known = np.array([run.measured_s for run in calibration.runs])
    return calibration.sums.plus(sums), np.concatenate([known, seconds])


def _held_out_error(calibration: Calibration, sums: NetworkSums, seconds: FloatArray) -> float:
    """The mean error over networks, each predicted by a law that saw all the others."""
    predicted = np.empty_like(seconds)
    for index in range(len(seconds)):
        rest = np.arange(len(seconds)) != index
        law = fit_law(*_joined(calibration, sums.take(rest), seconds[rest]))
        predicted[index] = law.predict(sums.take([index]))[0]
    return _mean_error(predicted, seconds)


def _mean_error(predicted: FloatArray, seconds: FloatArray) -> float:
    """Mean of |predicted - measured| / measured."""
    return float(np.mean(np.abs(predicted / seconds - 1.0)))
