"""From a sum of operator latencies to the latency of the whole network.

Operators measured alone carry the cost of a call each, and miss what a runtime fuses or keeps in
cache between them; over networks of one family both are close to an affine law:
real = scale * sum + offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.stats import spearmanr

from latency_tables.canonical import content_hash
from latency_tables.errors import CalibrationError, TableFileError
from latency_tables.table import check_version

FloatArray = npt.NDArray[np.float64]
FORMAT_VERSION = 1
MIN_NETWORKS = 4
_OUTLIER = 0.02
"""Relative errors beyond this weigh less than by their square."""
_SMALLEST = 0.1
"""The line may not fall below this fraction of the fastest measured network."""


@dataclass(frozen=True)
class Calibration:
    """An affine law between table sums and measured networks, and how far it can be trusted.

    Args:
        table: hash of the table the sums come from.
        network: the name of the network whose schedules were measured.
        scale, offset_s: real = scale * sum + offset, in seconds.
        networks: how many schedules were measured.
        mape: mean of |predicted - real| / real over networks held out of the fit.
        bias: mean of (predicted - real) / real, held out.
        worst: largest |predicted - real| / real, held out.
        spearman: rank correlation of held-out predictions with measurements.
        repeat_noise: how far a repeated measurement of one network lies off, as a fraction.
        margin: fraction of a budget to leave free, so that a schedule predicted at
            budget * (1 - margin) met the budget in nine of ten held-out cases: the 90th
            percentile of max(0, 1 - predicted / real).
        pairs: (sum, measured) of every network, in seconds.
    """

    table: str
    network: str
    scale: float
    offset_s: float
    networks: int
    mape: float
    bias: float
    worst: float
    spearman: float
    repeat_noise: float
    margin: float
    pairs: tuple[tuple[float, float], ...]

    @cached_property
    def hash(self) -> str:
        """sha256 over the canonical JSON of everything the calibration says."""
        return content_hash(self._content())

    def predict(self, sums: npt.ArrayLike) -> FloatArray:
        """Whole-network latencies in seconds, of the shape of ``sums``; increasing and positive.

        A negative offset would make networks much smaller than the calibrated ones free: none is
        priced below half the latency per second of sum of the smallest calibrated one.
        """
        x = np.asarray(sums, dtype=np.float64)
        smallest = min(pair[0] for pair in self.pairs)
        return _predict(self.scale, self.offset_s, smallest, x)

    def describe(self) -> str:
        """One line on how far predictions can be trusted."""
        return (
            f"{self.network}: latency = {self.scale:.3f} x sum {self.offset_s * 1e6:+.0f} us over "
            f"{self.networks} networks; held out, off by {self.mape:.1%} on average, "
            f"{self.worst:.1%} at worst, rank correlation {self.spearman:.3f}; "
            f"repeats differ by {self.repeat_noise:.1%}, safety margin {self.margin:.1%}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the format's version and the hash."""
        return {"version": FORMAT_VERSION, "hash": self.hash, **self._content()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Calibration:
        """The reverse of :meth:`to_json`.

        Raises:
            TableFileError: of a newer version, incomplete, or altered since it was hashed.
        """
        check_version("calibration", values, FORMAT_VERSION)
        content = {key: value for key, value in values.items() if key not in ("version", "hash")}
        try:
            pairs = tuple((float(total), float(real)) for total, real in content["pairs"])
            found = cls(**{**content, "pairs": pairs})
        except (KeyError, TypeError, ValueError) as error:
            raise TableFileError(f"this is not a complete calibration: {error!r}") from error
        if found.hash != values.get("hash"):
            raise TableFileError(
                f"the calibration was altered: its content hashes to {found.hash}, its seal is "
                f"{values.get('hash')}; calibrate again or restore the original"
            )
        return found

    def _content(self) -> dict[str, Any]:
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**content, "pairs": [list(pair) for pair in self.pairs]}


def fit(
    table_hash: str,
    network: str,
    sums: npt.ArrayLike,
    measured: npt.ArrayLike,
    repeat_noise: float,
) -> Calibration:
    """Fit the affine law, and find its error by leaving one network out at a time.

    Args:
        table_hash: of the table that the sums come from.
        network: its name.
        sums: of operator latencies, one per schedule, in seconds; [N].
        measured: whole-network medians of the same schedules, in seconds; [N].
        repeat_noise: relative difference of repeated measurements of one network.

    Raises:
        CalibrationError: fewer than :data:`MIN_NETWORKS` networks, unequal lengths, or a time
            that is not a positive number.
    """
    x, y = np.asarray(sums, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    _check(x, y)
    scale, offset = _affine(x, y)
    held_out = _held_out(x, y)
    error = (held_out - y) / y
    spearman = _rank_correlation(held_out, y)
    return Calibration(
        table=table_hash,
        network=network,
        scale=scale,
        offset_s=offset,
        networks=len(x),
        mape=float(np.mean(np.abs(error))),
        bias=float(np.mean(error)),
        worst=float(np.max(np.abs(error))),
        spearman=spearman,
        repeat_noise=float(repeat_noise),
        margin=float(np.quantile(np.maximum(0.0, -error), 0.9)),
        pairs=tuple(zip(x.tolist(), y.tolist(), strict=True)),
    )


def _check(x: FloatArray, y: FloatArray) -> None:
    if x.shape != y.shape or x.ndim != 1 or len(x) < MIN_NETWORKS:
        raise CalibrationError(
            f"expected sums and measurements of at least {MIN_NETWORKS} networks, got "
            f"{x.shape} and {y.shape}: measure more schedules"
        )
    times = np.concatenate([x, y])
    if not np.all(np.isfinite(times) & (times > 0)):
        raise CalibrationError("every sum and measurement must be a positive number of seconds")


def _affine(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Scale and offset that minimise the robust relative error.

    The line is sought through its height at the smallest sum and its slope, both positive, so
    that it is positive and increasing over all that was measured.
    """
    x_unit, y_unit = float(np.mean(x)), float(np.mean(y))
    u, v = x / x_unit, y / y_unit
    start = float(np.min(u))
    if float(np.ptp(u)) < 1e-6:
        return float(np.median(y / x)), 0.0

    def residuals(line: FloatArray) -> FloatArray:
        relative: FloatArray = (line[0] + line[1] * (u - start)) / v - 1.0
        return relative

    lowest = _SMALLEST * float(np.min(v))
    found = least_squares(
        residuals,
        x0=[max(start, 1.01 * lowest), 1.0],
        bounds=([lowest, 1e-9], [np.inf, np.inf]),
        loss="soft_l1",
        f_scale=_OUTLIER,
    )
    height, slope = (float(value) for value in found.x)
    return slope * y_unit / x_unit, (height - slope * start) * y_unit


def _predict(scale: float, offset: float, smallest: float, x: FloatArray) -> FloatArray:
    line = scale * x + offset
    if offset >= 0:
        return line
    return np.maximum(line, x * (scale + offset / smallest) / 2)


def _held_out(x: FloatArray, y: FloatArray) -> FloatArray:
    """Each network's latency as predicted from all the others, [N]."""
    predicted = np.empty_like(x)
    for index in range(len(x)):
        rest = np.arange(len(x)) != index
        scale, offset = _affine(x[rest], y[rest])
        predicted[index] = _predict(scale, offset, float(np.min(x[rest])), x[index : index + 1])[0]
    return predicted


def _rank_correlation(first: FloatArray, second: FloatArray) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first, second).statistic)
