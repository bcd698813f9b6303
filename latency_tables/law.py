"""The law of :mod:`latency_tables.calibration`, and its robust fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import OptimizeResult, least_squares

from latency_tables.network_sums import NetworkSums

FloatArray = npt.NDArray[np.float64]
CACHES = tuple(float(size << 20) for size in (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64))
"""Sizes of cache that are tried, in bytes."""
_WORTH = 0.8
"""A cache is believed in only where it takes the fit's loss to less than this fraction."""
_OUTLIER = 0.02
"""Relative errors beyond this weigh less than by their square."""
_SMALLEST = 0.1
"""The law may not fall below this fraction of the fastest measured network."""


@dataclass(frozen=True)
class Law:
    """From sums to seconds.

    Args:
        scale: real seconds per second of sum.
        seconds_per_byte: of the weights, on top of what operators measured alone show.
        cache_bytes: of weights of which half stay near from one inference to the next; infinite
            where the networks gave no reason to doubt that all do.
        offset_s: seconds.
        least_s: scaled sum of the smallest calibrated network, in seconds, without the offset.
    """

    scale: float
    seconds_per_byte: float
    cache_bytes: float
    offset_s: float
    least_s: float

    def scaled(self, sums: NetworkSums) -> FloatArray:
        """Seconds without the offset; [N]."""
        hot = effective(sums, self.cache_bytes)
        result: FloatArray = self.scale * hot + self.seconds_per_byte * sums.weight_bytes
        return result

    def predict(self, sums: NetworkSums) -> FloatArray:
        """Whole-network latencies in seconds; [N].

        A negative offset would make networks much smaller than the calibrated ones free: none is
        priced below half the latency per scaled second of the smallest calibrated one.
        """
        return self.finish(self.scaled(sums))

    def finish(self, scaled: FloatArray) -> FloatArray:
        """Latencies from scaled sums, as :meth:`predict` gives them."""
        if self.offset_s >= 0:
            return scaled + self.offset_s
        least = scaled * (1 + self.offset_s / self.least_s) / 2
        return np.maximum(scaled + self.offset_s, least)


def effective(sums: NetworkSums, cache_bytes: float) -> FloatArray:
    """Operator seconds with the weights where a cache of that size leaves them; [N]."""
    if np.isinf(cache_bytes):
        return sums.hot
    squared = sums.weight_bytes**2
    result: FloatArray = sums.hot + squared / (squared + cache_bytes**2) * (sums.cold - sums.hot)
    return result


def fit_law(sums: NetworkSums, measured: npt.ArrayLike) -> Law:
    """The law that minimises the robust relative error over the measured networks.

    It is sought through its height at the smallest sum, positive as its slopes are, so that it is
    positive and increasing over all that was measured.
    """
    y = np.asarray(measured, dtype=np.float64)
    loss, found = _fitted(sums, y, np.inf)
    largest, smallest = float(np.max(sums.weight_bytes)), float(np.min(sums.weight_bytes))
    if smallest == largest:  # what does not vary is no evidence
        return found
    bound = _WORTH * loss
    for cache in CACHES:
        if cache < largest:
            loss, law = _fitted(sums, y, cache)
            if loss < bound:
                bound, found = loss, law
    return found


def _fitted(sums: NetworkSums, y: FloatArray, cache: float) -> tuple[float, Law]:
    x = effective(sums, cache)
    first = int(np.argmin(x))
    if float(np.ptp(x / np.mean(x))) < 1e-6:
        scale = float(np.median(y / x))
        return 0.0, Law(scale, 0.0, np.inf, 0.0, scale * float(x[first]))
    units = np.array([np.mean(x), max(float(np.mean(sums.weight_bytes)), 1.0)])
    rises = np.stack([x - x[first], sums.weight_bytes - sums.weight_bytes[first]], axis=1) / units
    height, slope, traffic, loss = _line(rises, y)
    scale, per_byte = slope / units[0], traffic / units[1]
    least = scale * x[first] + per_byte * sums.weight_bytes[first]
    law = Law(float(scale), float(per_byte), cache, float(height - least), float(least))
    return loss, law


def _line(rises: FloatArray, y: FloatArray) -> tuple[float, float, float, float]:
    """Height at no rise, both slopes, in seconds, and the loss; rises [N, 2]."""
    unit = float(np.mean(y))
    v = y / unit
    lowest = _SMALLEST * float(np.min(v))
    carries = float(np.ptp(rises[:, 1])) > 1e-9

    def residuals(line: FloatArray) -> FloatArray:
        relative: FloatArray = (line[0] + rises @ line[1:]) / v - 1.0
        return relative

    found: OptimizeResult = least_squares(
        residuals,
        x0=[max(float(np.min(v)), 1.01 * lowest), 1.0, 1e-3],
        bounds=([lowest, 1e-9, 0.0], [np.inf, np.inf, np.inf if carries else 2e-3]),
        loss="soft_l1",
        f_scale=_OUTLIER,
    )
    height, slope, traffic = (float(value) * unit for value in found.x)
    return height, slope, traffic if carries else 0.0, float(found.cost)
