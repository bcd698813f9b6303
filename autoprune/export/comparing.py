"""How pruned networks are compared with the unpruned one: by a job, by verify, with a device kit.

All are timed in the same rounds, in an order drawn anew for each, and judged by the ratio to the
unpruned network: a machine that is slower today, or slows down in the middle, slows all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from latency_tables.lock import measuring_lock
from latency_tables.measuring import FloatArray, Ratio, interleaved_times, ratios_of

ROUNDS = 60
"""Each times every network once."""
SECONDS = 0.5
"""Rounds go on for at least so long: small networks get more of them, and tighter intervals."""
REPEATS = 0.01
"""Two measurements of one network may differ by this fraction, more than the rounds of one tell:
another process lays its memory out in another way."""


@dataclass(frozen=True)
class Comparison:
    """One network beside the unpruned one.

    Args:
        pruned_s, unpruned_s: medians, in seconds per call.
        ratio: of the two, over the rounds.
    """

    pruned_s: float
    unpruned_s: float
    ratio: Ratio

    def latency_s(self, base_s: float) -> float:
        """Seconds on the scale of a budget whose unpruned network takes ``base_s``."""
        return self.ratio.median * base_s

    def fits(self, base_s: float, limit_s: float | None) -> bool:
        """Whether the ratio's whole 95% interval, 1% at least, is within: it will fit again."""
        room = max(self.ratio.uncertainty, REPEATS * self.ratio.median)
        return limit_s is None or (self.ratio.median + room) * base_s <= limit_s

    def may_fit(self, base_s: float, limit_s: float | None) -> bool:
        """Whether it is not over the budget by more than the measurement can resolve."""
        return limit_s is None or (self.ratio.median - self.ratio.uncertainty) * base_s <= limit_s


def compare(
    runners: Sequence[Callable[[], None]],
    *,
    rounds: int | None = None,
    on_wait: Callable[[], None] | None = None,
) -> list[Comparison]:
    """Time networks interleaved, under the host's measuring lock.

    Args:
        runners: the unpruned network's first.
        rounds: each times every network once; None is :data:`ROUNDS`, or more of them until
            :data:`SECONDS` are over.
        on_wait: called once if another measurement has to end first.

    Returns:
        One comparison for each runner after the first.
    """
    with measuring_lock(on_wait=on_wait):
        times = interleaved_times(
            runners, rounds=rounds or ROUNDS, min_seconds=SECONDS if rounds is None else 0.0
        )
    return comparisons_of(times)


def comparisons_of(times: FloatArray) -> list[Comparison]:
    """From seconds per call [rounds, networks], the unpruned network's first."""
    medians = np.median(times, axis=0)
    return [
        Comparison(float(pruned), float(medians[0]), ratio)
        for pruned, ratio in zip(medians[1:], ratios_of(times)[1:], strict=True)
    ]
