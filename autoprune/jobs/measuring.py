"""P3: what is exported meets the budget when the whole network is measured.

Finalists are measured interleaved with the unpruned network and judged by their ratio to it, as
``verify`` will judge what is exported. What this learns belongs to the export and never changes the
job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from autoprune.export.comparing import Comparison, compare
from autoprune.jobs.context import Progress
from autoprune.trials.records import FinalistRecord, Json
from latency_tables.runtimes import runtime

BuildNetwork = Callable[[tuple[int, ...]], torch.nn.Module]
"""A network of some widths, sliced from the base weights."""


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
    build: BuildNetwork
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
        found = compare(
            runners, on_wait=lambda: progress("waiting", {"for": "another measurement"})
        )
        return [verdict(comparison, self.base_s, self.limit_s) for comparison in found]


def verdict(found: Comparison, base_s: float, limit_s: float | None) -> Json:
    """A comparison as a finalist keeps it; arguments are those of :class:`Bench`."""
    return {
        "ratio": found.ratio.median,
        "uncertainty": found.ratio.uncertainty,
        "latency_s": found.latency_s(base_s),
        "fits": found.fits(base_s, limit_s),
    }


def measure_ranked(
    bench: Bench, ranking: Sequence[FinalistRecord], progress: Progress, *, alone: bool = False
) -> list[FinalistRecord]:
    """The finalists with their measurements, in the order they came.

    Args:
        alone: each in rounds of its own beside the unpruned network, as ``verify`` measures it.
    """
    schedules = [finalist.widths for finalist in ranking]
    if alone:
        measured = [bench.measure([widths], progress)[0] for widths in schedules]
    else:
        measured = bench.measure(schedules, progress)
    finalists = [replace(f, measured=m) for f, m in zip(ranking, measured, strict=True)]
    for finalist in finalists:
        said = {"origin": finalist.origin, "trial": finalist.trial, "alone": alone}
        progress("measured", {**said, **(finalist.measured or {})})
    return finalists
