"""Timing several things so that a drift of the machine hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latency_tables.runtimes.port import SelfTimed
from latency_tables.statistics import Sample, median_uncertainty, summarise

FloatArray = npt.NDArray[np.float64]
BURST_S = 1e-4
"""One timing is the mean of as many calls as fill this many seconds (at least one call)."""
_STABLE = 0.05
_WARM_UP_S = 0.5


@dataclass(frozen=True)
class Ratio:
    """How one runner compares with the first, in the same rounds.

    Args:
        median: median over rounds of its time / the first runner's time.
        mad: median absolute deviation of that ratio.
        repeats: rounds.
    """

    median: float
    mad: float
    repeats: int

    @property
    def uncertainty(self) -> float:
        """Half-width of the median's 95% interval."""
        return median_uncertainty(self.mad, self.repeats)


@dataclass(frozen=True)
class Stopwatch:
    """Times one runner in bursts of a fixed number of calls."""

    runner: Callable[[], None]
    calls: int

    @classmethod
    def warmed_up(cls, runner: Callable[[], None], burst_s: float = BURST_S) -> Stopwatch:
        """Call a runner until three bursts in a row agree within 5%, or half a second is over."""
        runner()
        started = time.perf_counter()
        runner()
        watch = cls(runner, 1)
        recent = [time.perf_counter() - started]
        while len(recent) < 3 or max(recent[-3:]) > (1 + _STABLE) * min(recent[-3:]):
            watch = cls(runner, max(1, round(burst_s / recent[-1])))
            recent.append(watch.time())
            if time.perf_counter() - started > _WARM_UP_S:
                break
        return watch

    def time(self) -> float:
        """Seconds per call over one burst, by the runner's own clock where it has one.

        A first call is not timed: whatever ran before has emptied the caches.
        """
        return self.cold_and_hot()[1]

    def cold_and_hot(self) -> tuple[float, float]:
        """Seconds of a first call, and per call over the burst that follows it."""
        runner = self.runner
        if isinstance(runner, SelfTimed):
            return runner.seconds(1), runner.seconds(self.calls)
        started = time.perf_counter()
        runner()
        between = time.perf_counter()
        for _ in range(self.calls):
            runner()
        return between - started, (time.perf_counter() - between) / self.calls


def interleaved_times(
    runners: Sequence[Callable[[], None]],
    *,
    rounds: int = 30,
    min_seconds: float = 0.0,
    seed: int = 0,
) -> FloatArray:
    """Time every runner once per round, in an order drawn anew for each round.

    Args:
        runners: each is warmed up first.
        rounds: at least this many.
        min_seconds: rounds go on until this much time has been spent on them.
        seed: of the orders.

    Returns:
        Seconds per call, [rounds, runners].

    Raises:
        ValueError: there is no runner or no round.
    """
    if not runners or rounds < 1:
        raise ValueError(f"expected runners and rounds, got {len(runners)} and {rounds}")
    watches = [Stopwatch.warmed_up(runner) for runner in runners]
    rng = np.random.default_rng(seed)
    times: list[FloatArray] = []
    started = time.perf_counter()
    while len(times) < rounds or time.perf_counter() - started < min_seconds:
        row = np.zeros(len(watches))
        for which in rng.permutation(len(watches)):
            row[which] = watches[which].time()
        times.append(row)
    return np.stack(times)


def time_interleaved(
    runners: Sequence[Callable[[], None]],
    *,
    rounds: int = 30,
    min_seconds: float = 0.0,
    seed: int = 0,
) -> list[Sample]:
    """The statistics of :func:`interleaved_times`, one sample per runner."""
    times = interleaved_times(runners, rounds=rounds, min_seconds=min_seconds, seed=seed)
    return [summarise(column) for column in times.T.tolist()]


def ratio_to_first(
    runners: Sequence[Callable[[], None]],
    *,
    rounds: int = 30,
    min_seconds: float = 0.0,
    seed: int = 0,
) -> list[Ratio]:
    """Each runner's time as a fraction of the first's, compared round by round.

    A machine that slows down in the middle slows both, so ratios are steadier than seconds.
    Arguments are those of :func:`interleaved_times`.

    Returns:
        One ratio per runner; the first runner's is 1.
    """
    times = interleaved_times(runners, rounds=rounds, min_seconds=min_seconds, seed=seed)
    return ratios_of(times)


def ratios_of(times: FloatArray) -> list[Ratio]:
    """The statistics of :func:`ratio_to_first`, from times [rounds, runners]."""
    ratios = times / times[:, :1]
    medians = np.median(ratios, axis=0)
    mads = np.median(np.abs(ratios - medians), axis=0)
    return [
        Ratio(float(median), float(mad), len(times))
        for median, mad in zip(medians, mads, strict=True)
    ]
