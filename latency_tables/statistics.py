"""Robust statistics of repeated timings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
TIGHT = 0.02
"""A median is trusted when the half-width of its 95% interval is within this fraction of it."""


@dataclass(frozen=True)
class Sample:
    """What repeated timings of one thing said.

    Args:
        median_s: seconds per call.
        mad_s: median absolute deviation from the median, in seconds, unscaled.
        quantiles: p10, p25, p50, p75, p90 and p95, in seconds; tables of the first version have
            no p95, and keep what they have.
        repeats: how many timings.
        noisy: the 95% interval of the median is wider than :data:`TIGHT` allows.
    """

    median_s: float
    mad_s: float
    quantiles: tuple[float, ...]
    repeats: int
    noisy: bool

    @property
    def interval(self) -> float:
        """Half-width of the median's 95% interval, as a fraction of the median."""
        return median_uncertainty(self.mad_s, self.repeats) / self.median_s

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, seconds."""
        return {
            "median_s": self.median_s,
            "mad_s": self.mad_s,
            "quantiles": list(self.quantiles),
            "repeats": self.repeats,
            "noisy": self.noisy,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Sample:
        """The reverse of :meth:`to_json`."""
        return cls(**{**values, "quantiles": tuple(values["quantiles"])})


def median_uncertainty(mad: float, repeats: int) -> float:
    """Half-width of a median's 95% interval, in the unit of ``mad``.

    Under normal noise, sigma is 1.4826 MAD and the median's standard error 1.2533 sigma / sqrt(n)
    (Kendall & Stuart, The Advanced Theory of Statistics, vol. 1, section 10.10).
    """
    return 1.96 * 1.2533 * 1.4826 * mad / math.sqrt(repeats)


def summarise(times: Sequence[float]) -> Sample:
    """Median and spread of timings in seconds.

    Raises:
        ValueError: there is no timing, or one is not a positive number.
    """
    seconds = np.asarray(times, dtype=np.float64)
    if seconds.size == 0 or not np.all(np.isfinite(seconds) & (seconds > 0)):
        raise ValueError(f"expected at least one timing, all positive seconds, got {times!r}")
    median = float(np.median(seconds))
    sample = Sample(
        median_s=median,
        mad_s=float(np.median(np.abs(seconds - median))),
        quantiles=tuple(float(q) for q in np.quantile(seconds, QUANTILES)),
        repeats=int(seconds.size),
        noisy=False,
    )
    return sample if sample.interval <= TIGHT else _marked_noisy(sample)


def _marked_noisy(sample: Sample) -> Sample:
    return Sample(sample.median_s, sample.mad_s, sample.quantiles, sample.repeats, noisy=True)
