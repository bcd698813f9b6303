"""P3: what is exported meets the budget when the whole network is measured.

Finalists are measured interleaved with the unpruned network, so each is judged by a ratio: a
machine that slows down in the middle slows both. What this learns belongs to the export and never
changes the job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from autoprune.errors import BudgetInfeasibleError
from autoprune.jobs.context import Progress
from autoprune.trials.records import FinalistRecord, Json
from latency_tables.lock import measuring_lock
from latency_tables.measuring import Ratio, ratio_to_first
from latency_tables.runtimes import runtime

ROUNDS = 60


@dataclass(frozen=True)
class Bench:
    """Measures networks as the job's table was measured.

    Args:
        base_s: the unpruned network's latency that the budget was derived from, seconds.
        limit_s: the latency budget in seconds; None when only MACs or parameters are bounded.
    """

    runtime: str
    threads: int
    unpruned: torch.nn.Module
    example_input: torch.Tensor
    build: Callable[[tuple[int, ...]], torch.nn.Module]
    base_s: float
    limit_s: float | None

    def measure(self, schedules: Sequence[tuple[int, ...]], progress: Progress) -> list[Json]:
        """Ratio to the unpruned network and seconds on the budget's scale, for each schedule."""
        port = runtime(self.runtime)
        networks = [self.unpruned, *(self.build(widths) for widths in schedules)]
        runners = [
            port.network_runner(network.eval(), self.example_input, self.threads)
            for network in networks
        ]
        with measuring_lock(on_wait=lambda: progress("waiting", {"for": "another measurement"})):
            ratios = ratio_to_first(runners, rounds=ROUNDS)
        return [self._verdict(ratio) for ratio in ratios[1:]]

    def _verdict(self, ratio: Ratio) -> Json:
        """It fits only if the ratio's whole 95% interval does, so that it fits again later."""
        return {
            "ratio": ratio.median,
            "uncertainty": ratio.uncertainty,
            "latency_s": ratio.median * self.base_s,
            "fits": self.limit_s is None
            or (ratio.median + ratio.uncertainty) * self.base_s <= self.limit_s,
        }


def measure_ranked(
    bench: Bench, ranking: Sequence[FinalistRecord], progress: Progress
) -> list[FinalistRecord]:
    """The finalists with their measurements, in the order they came."""
    measured = bench.measure([finalist.widths for finalist in ranking], progress)
    finalists = [replace(f, measured=m) for f, m in zip(ranking, measured, strict=True)]
    for finalist in finalists:
        progress("measured", {"origin": finalist.origin, **(finalist.measured or {})})
    return finalists


def first_that_fits(finalists: Sequence[FinalistRecord]) -> FinalistRecord | None:
    """The best-ranked finalist whose measurement meets the budget."""
    return next((f for f in finalists if f.measured is not None and f.measured["fits"]), None)


def none_fits(bench: Bench, tried: Sequence[FinalistRecord]) -> BudgetInfeasibleError:
    """The error when even the lowest rung misses the budget on the device."""
    best = min((f.measured or {}).get("latency_s", float("inf")) for f in tried)
    return BudgetInfeasibleError(
        f"no finalist meets the budget when measured: the fastest of {len(tried)} takes "
        f"{best * 1e3:.3f} ms, the budget is {(bench.limit_s or 0) * 1e3:.3f} ms. The table "
        "predicts "
        "this device badly: run 'autoprune latency check', or measure a new table"
    )
