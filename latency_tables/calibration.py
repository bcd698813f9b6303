"""From a sum of operator latencies to the latency of the whole network.

Operators measured alone carry the cost of a call each, miss what a runtime fuses between them, and
find their weights in a near cache, where a network's come from further away. Over networks of one
family all three are close to one law::

    latency = scale * (hot + missing * (cold - hot)) + seconds_per_byte * bytes + offset
    missing = bytes^2 / (bytes^2 + cache_bytes^2)

``hot`` and ``cold`` are the sums of the operators' latencies called again at once, and called after
many others; ``bytes`` are the network's weights. Of weights much smaller than ``cache_bytes`` next
to nothing has to be fetched anew in each inference, of much larger ones all, and at that size half:
a smooth step, as other things share the cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from latency_tables.canonical import content_hash
from latency_tables.errors import CalibrationError, TableFileError
from latency_tables.law import Law, fit_law
from latency_tables.network_sums import NetworkSums
from latency_tables.rank_correlation import rank_correlation
from latency_tables.table import check_version

FloatArray = npt.NDArray[np.float64]
FORMAT_VERSION = 2
MIN_NETWORKS = 4


@dataclass(frozen=True)
class NetworkRun:
    """One measured network.

    Args:
        hot_s, cold_s: sums of its operators' latencies, see :class:`NetworkSums`.
        weight_bytes: of its parameters.
        measured_s: its median latency.
    """

    hot_s: float
    cold_s: float
    weight_bytes: float
    measured_s: float


@dataclass(frozen=True)
class Calibration:
    """The law between table sums and measured networks, and how far it can be trusted.

    Args:
        table: hash of the table the sums come from.
        network: the name of the network whose schedules were measured.
        law: real latencies from sums.
        mape: mean of |predicted - real| / real over networks held out of the fit.
        bias: mean of (predicted - real) / real, held out.
        worst: largest |predicted - real| / real, held out.
        spearman: rank correlation of held-out predictions with measurements.
        repeat_noise: how far a repeated measurement of one network lies off, as a fraction.
        margin: fraction of a budget to leave free, so that a schedule predicted at
            budget * (1 - margin) met the budget in nine of ten held-out cases: the 90th
            percentile of max(0, 1 - predicted / real).
        runs: what was measured; the unpruned network first.
    """

    table: str
    network: str
    law: Law
    mape: float
    bias: float
    worst: float
    spearman: float
    repeat_noise: float
    margin: float
    runs: tuple[NetworkRun, ...]

    @cached_property
    def hash(self) -> str:
        """sha256 over the canonical JSON of everything the calibration says."""
        return content_hash(self._content())

    @property
    def networks(self) -> int:
        """How many schedules were measured."""
        return len(self.runs)

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """(sum, measured) of every network, in seconds."""
        return tuple((run.hot_s, run.measured_s) for run in self.runs)

    @property
    def sums(self) -> NetworkSums:
        """The sums of every network, [N]."""
        return _sums_of(self.runs)

    def predict(self, sums: NetworkSums | npt.ArrayLike) -> FloatArray:
        """Whole-network latencies in seconds, [N]; increasing and positive.

        Args:
            sums: of the networks; plain seconds stand for networks without weights.
        """
        return self.law.predict(NetworkSums.of(sums))

    def describe(self) -> str:
        """One line on how far predictions can be trusted."""
        law = self.law
        cache = "" if math.isinf(law.cache_bytes) else f", cache {law.cache_bytes / 2**20:.0f} MiB"
        return (
            f"{self.network}: latency = {law.scale:.3f} x sum {law.offset_s * 1e6:+.0f} us "
            f"{law.seconds_per_byte * 1e12:+.0f} us/MB{cache} over "
            f"{self.networks} networks; held out, off by {self.mape:.1%} on average, "
            f"{self.worst:.1%} at worst, rank correlation {self.spearman:.3f}; "
            f"repeats differ by {self.repeat_noise:.1%}, safety margin {self.margin:.1%}"
        )

    def shares(self) -> dict[str, float]:
        """What the measured time is made of, by the law; means over the networks, fractions.

        ``operators`` is what the table prices, ``weights`` what fetching them costs beside it,
        ``fusion`` the offset: calls that a network saves, if it is negative. ``unexplained`` is
        what is left, whatever its sign.
        """
        sums, law = self.sums, self.law
        real = np.array([run.measured_s for run in self.runs])
        weights = law.seconds_per_byte * sums.weight_bytes
        left = 1 - law.predict(sums) / real
        return {
            "operators": float(np.mean((law.scaled(sums) - weights) / real)),
            "weights": float(np.mean(weights / real)),
            "fusion": float(np.mean(law.offset_s / real)),
            "unexplained": float(np.mean(np.abs(left))),
        }

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the format's version and the hash."""
        return {"version": FORMAT_VERSION, "hash": self.hash, **self._content()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Calibration:
        """The reverse of :meth:`to_json`.

        Raises:
            TableFileError: of another version, incomplete, or altered since it was hashed.
        """
        check_version("calibration", values, FORMAT_VERSION)
        if values["version"] < FORMAT_VERSION:
            raise TableFileError(
                f"this calibration is of format version {values['version']}, which knew nothing of "
                "a network's weights: calibrate again with 'autoprune latency check'"
            )
        content = {key: value for key, value in values.items() if key not in ("version", "hash")}
        try:
            runs = tuple(NetworkRun(*map(float, run)) for run in content["runs"])
            found = cls(**{**content, "runs": runs, "law": _law_of(content["law"])})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TableFileError(f"this is not a complete calibration: {error!r}") from error
        if found.hash != values.get("hash"):
            raise TableFileError(
                f"the calibration was altered: its content hashes to {found.hash}, its seal is "
                f"{values.get('hash')}; calibrate again or restore the original"
            )
        return found

    def _content(self) -> dict[str, Any]:
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        law = {name: getattr(self.law, name) for name in Law.__dataclass_fields__}
        # JSON has no infinity.
        law["cache_bytes"] = None if math.isinf(self.law.cache_bytes) else self.law.cache_bytes
        runs = [
            [getattr(run, name) for name in NetworkRun.__dataclass_fields__] for run in self.runs
        ]
        return {**content, "law": law, "runs": runs}


def fit(
    table_hash: str,
    network: str,
    sums: NetworkSums | npt.ArrayLike,
    measured: npt.ArrayLike,
    repeat_noise: float,
) -> Calibration:
    """Fit the law, and find its error by leaving one network out at a time.

    Args:
        table_hash: of the table that the sums come from.
        network: its name.
        sums: one per schedule, the unpruned network's first; [N].
        measured: whole-network medians of the same schedules, in seconds; [N].
        repeat_noise: relative difference of repeated measurements of one network.

    Raises:
        CalibrationError: fewer than :data:`MIN_NETWORKS` networks, unequal lengths, or a time
            that is not a positive number.
    """
    x, y = NetworkSums.of(sums), np.asarray(measured, dtype=np.float64)
    _check(x, y)
    held_out = _held_out(x, y)
    error = (held_out - y) / y
    return Calibration(
        table=table_hash,
        network=network,
        law=fit_law(x, y),
        mape=float(np.mean(np.abs(error))),
        bias=float(np.mean(error)),
        worst=float(np.max(np.abs(error))),
        spearman=rank_correlation(held_out, y) or 0.0,
        repeat_noise=float(repeat_noise),
        margin=float(np.quantile(np.maximum(0.0, -error), 0.9)),
        runs=_runs_of(x, y),
    )


def _check(x: NetworkSums, y: FloatArray) -> None:
    if x.hot.shape != y.shape or y.ndim != 1 or len(x) < MIN_NETWORKS:
        raise CalibrationError(
            f"expected sums and measurements of at least {MIN_NETWORKS} networks, got "
            f"{x.hot.shape} and {y.shape}: measure more schedules"
        )
    times = np.concatenate([x.hot, x.cold, y])
    if not np.all(np.isfinite(times) & (times > 0)):
        raise CalibrationError("every sum and measurement must be a positive number of seconds")


def _held_out(x: NetworkSums, y: FloatArray) -> FloatArray:
    """Each network's latency as predicted from all the others, [N]."""
    predicted = np.empty_like(y)
    for index in range(len(y)):
        rest = np.arange(len(y)) != index
        law = fit_law(x.take(rest), y[rest])
        predicted[index] = law.predict(x.take([index]))[0]
    return predicted


def _law_of(values: dict[str, Any]) -> Law:
    cache = values["cache_bytes"]
    return Law(**{**values, "cache_bytes": math.inf if cache is None else float(cache)})


def _runs_of(x: NetworkSums, y: FloatArray) -> tuple[NetworkRun, ...]:
    columns = (x.hot, x.cold, x.weight_bytes, y)
    return tuple(
        NetworkRun(*row) for row in zip(*(column.tolist() for column in columns), strict=True)
    )


def _sums_of(runs: tuple[NetworkRun, ...]) -> NetworkSums:
    return NetworkSums(
        np.array([run.hot_s for run in runs]),
        np.array([run.cold_s for run in runs]),
        np.array([run.weight_bytes for run in runs]),
    )
