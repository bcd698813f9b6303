"""Measuring operators into table entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from latency_tables.measuring import BURST_S, Stopwatch
from latency_tables.operators import Operator
from latency_tables.runtimes.port import Runtime
from latency_tables.statistics import TIGHT, summarise
from latency_tables.table import Entry

FloatArray = npt.NDArray[np.float64]
PARTS = 8
"""Operators are measured in about so many chunks, each saved when it is done..."""
MIN_CHUNK, MAX_CHUNK = 32, 512
"""...of so many operators: the longer a round takes, the less one disturbance meets of a median."""
MIN_ROUNDS = 20
MAX_ROUNDS = 60
DRIFT = 0.1
"""A round in which the anchor moved by more than this fraction is thrown away..."""
MAX_DISCARDED = 6
"""...but no more than this many of a chunk's: a machine that stays changed is corrected for."""
_ANCHOR_EVERY = 8
_ANCHORS_AROUND = 4

ANCHOR = Operator(
    "conv",
    32,
    32,
    height=16,
    width=16,
    kernel=(3, 3),
    padding=(1, 1),
    bias=True,
    activation="relu",
)
"""Timed among the others all the time: what it gains or loses, the machine lost or gained."""

METHOD: Mapping[str, Any] = MappingProxyType(
    {
        "name": "interleaved bursts corrected by an anchor",
        "burst_s": BURST_S,
        "rounds": [MIN_ROUNDS, MAX_ROUNDS],
        "tight": TIGHT,
        "anchor": ANCHOR.label,
    }
)
"""What a table that was measured with :func:`measure_operators` says about it."""


def measure_operators(
    operators: Iterable[Operator],
    *,
    runtime: Runtime,
    batch: int,
    threads: int,
    known: Mapping[Operator, Entry] = MappingProxyType({}),
    on_entry: Callable[[Entry], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_load: Callable[[float], None] | None = None,
    seed: int = 0,
) -> list[Entry]:
    """Measure each distinct operator once, in random order.

    Operators are taken in chunks. A chunk's are built and warmed up, then timed in rounds, each
    round in an order of its own with the anchor in between, until the interval of each one's
    median is tight; one that is not after :data:`MAX_ROUNDS` is marked noisy. The first call after
    the others is timed apart: it finds its weights in no near cache. Nothing here keeps
    others from measuring at the same time: hold :func:`latency_tables.lock.measuring_lock`.

    Args:
        operators: as in networks; the runtime normalises them.
        runtime: what runs them.
        batch: images per call.
        threads: of the runtime.
        known: entries of earlier, perhaps interrupted, measurements in the same context; these
            are not measured again.
        on_entry: called with each new entry as soon as it is measured: save it there.
        on_progress: called with (operators measured, operators to measure), known ones left out.
        on_load: called with how many times slower than at first the anchor runs, after each round
            in which that differs by more than :data:`DRIFT`.
        seed: of the orders.

    Returns:
        An entry for every distinct operator, known ones included.

    Raises:
        UnsupportedOperatorError: the runtime cannot run an operator.
    """
    wanted = list(dict.fromkeys(runtime.normalise(op) for op in operators))
    found = {op: known[op] for op in wanted if op in known}
    missing = [op for op in wanted if op not in found]
    rng = np.random.default_rng(seed)
    order = [missing[index] for index in rng.permutation(len(missing))]
    anchor = _Anchor.started(runtime, batch, threads) if order else None
    done = 0
    for part in _chunks(order):
        chunk = [_Bench.built(runtime, op, batch, threads) for op in part]
        _measure(chunk, anchor, rng, on_load)
        for bench in chunk:
            found[bench.operator] = entry = bench.entry()
            if on_entry is not None:
                on_entry(entry)
        done += len(part)
        if on_progress is not None:
            on_progress(done, len(order))
    return [found[op] for op in wanted]


def _chunks(order: Sequence[Operator]) -> Iterator[Sequence[Operator]]:
    """Parts of about equal size: what is cold depends on how much else runs in between."""
    size = min(max(len(order) // PARTS, MIN_CHUNK), MAX_CHUNK)
    parts = -(-len(order) // size)
    bounds = [round(part * len(order) / max(parts, 1)) for part in range(parts + 1)]
    yield from (order[first:last] for first, last in pairwise(bounds))


@dataclass
class _Bench:
    """One operator being measured."""

    operator: Operator
    watch: Stopwatch
    times: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)

    @classmethod
    def built(cls, runtime: Runtime, op: Operator, batch: int, threads: int) -> _Bench:
        return cls(op, Stopwatch.warmed_up(runtime.operator_runner(op, batch, threads)))

    @property
    def open(self) -> bool:
        """Whether more rounds are wanted."""
        if len(self.times) < MIN_ROUNDS:
            return True
        return len(self.times) < MAX_ROUNDS and summarise(self.times).noisy

    def add(self, cold: float, hot: float) -> None:
        """Keep one timing; a cold one only while all others of the chunk run in between."""
        if len(self.times) < MIN_ROUNDS:
            self.cold.append(cold)
        self.times.append(hot)

    def entry(self) -> Entry:
        """What the timings said."""
        return Entry(self.operator, summarise(self.times), float(np.median(self.cold)))


@dataclass(frozen=True)
class _Anchor:
    """The operator that shows how fast the machine is now, against how fast it was at first."""

    watch: Stopwatch
    reference: float

    @classmethod
    def started(cls, runtime: Runtime, batch: int, threads: int) -> _Anchor:
        op = runtime.normalise(ANCHOR)
        watch = Stopwatch.warmed_up(runtime.operator_runner(op, batch, threads))
        return cls(watch, float(np.median([watch.time() for _ in range(50)])))


def _measure(
    chunk: list[_Bench],
    anchor: _Anchor | None,
    rng: np.random.Generator,
    on_load: Callable[[float], None] | None,
) -> None:
    """Time a chunk round by round until no operator wants more."""
    discarded = 0
    while anchor is not None and (active := [bench for bench in chunk if bench.open]):
        times, slowdowns = _round(active, anchor, rng)
        slowdown = float(np.median(slowdowns))
        drifted = abs(slowdown - 1) > DRIFT
        if drifted and on_load is not None:
            on_load(slowdown)
        if drifted and discarded < MAX_DISCARDED:
            discarded += 1
            continue
        for bench, (cold, hot) in zip(active, times / slowdowns[:, None], strict=True):
            bench.add(float(cold), float(hot))


def _round(
    active: list[_Bench], anchor: _Anchor, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """(cold, hot) seconds of each, [N, 2], and how much slower than at first the anchor was, [N].

    The anchor's times around an operator tell: one of its timings alone is no more exact than one
    of the operator's.
    """
    times, place = np.empty((len(active), 2)), np.empty(len(active), dtype=np.int64)
    anchored = [anchor.watch.time() for _ in range(_ANCHORS_AROUND)]
    for position, which in enumerate(rng.permutation(len(active))):
        if position % _ANCHOR_EVERY == 0:
            anchored.append(anchor.watch.time())
        place[which] = len(anchored) - 1
        times[which] = active[which].watch.cold_and_hot()
    anchored += [anchor.watch.time() for _ in range(_ANCHORS_AROUND)]
    around = np.median(sliding_window_view(anchored, 2 * _ANCHORS_AROUND + 1), axis=1)
    return times, around[place - _ANCHORS_AROUND] / anchor.reference
