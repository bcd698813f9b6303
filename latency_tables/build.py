"""Measuring operators into table entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from latency_tables.measuring import BURST_S, Stopwatch
from latency_tables.operators import Operator
from latency_tables.runtimes.port import Runtime
from latency_tables.statistics import TIGHT, summarise
from latency_tables.table import Entry

CHUNK = 32
MIN_ROUNDS = 12
MAX_ROUNDS = 48
DRIFT = 0.1
"""A round in which the anchor moved by more than this fraction is thrown away..."""
MAX_DISCARDED = 6
"""...but no more than this many of a chunk's: a machine that stays changed is corrected for."""
_ANCHOR_EVERY = 8

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
    median is tight; one that is not after :data:`MAX_ROUNDS` is marked noisy. Nothing here keeps
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
    for start in range(0, len(order), CHUNK):
        chunk = [_Bench.built(runtime, op, batch, threads) for op in order[start : start + CHUNK]]
        _measure(chunk, anchor, rng, on_load)
        for bench in chunk:
            entry = Entry(bench.operator, summarise(bench.times))
            found[entry.operator] = entry
            if on_entry is not None:
                on_entry(entry)
        if on_progress is not None:
            on_progress(start + len(chunk), len(order))
    return [found[op] for op in wanted]


@dataclass
class _Bench:
    """One operator being measured."""

    operator: Operator
    watch: Stopwatch
    times: list[float] = field(default_factory=list)

    @classmethod
    def built(cls, runtime: Runtime, op: Operator, batch: int, threads: int) -> _Bench:
        return cls(op, Stopwatch.warmed_up(runtime.operator_runner(op, batch, threads)))

    @property
    def open(self) -> bool:
        """Whether more rounds are wanted."""
        if len(self.times) < MIN_ROUNDS:
            return True
        return len(self.times) < MAX_ROUNDS and summarise(self.times).noisy


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
        times, slowdown = _round(active, anchor, rng)
        drifted = abs(slowdown - 1) > DRIFT
        if drifted and on_load is not None:
            on_load(slowdown)
        if drifted and discarded < MAX_DISCARDED:
            discarded += 1
            continue
        for bench, seconds in zip(active, times, strict=True):
            bench.times.append(seconds / slowdown)


def _round(
    active: list[_Bench], anchor: _Anchor, rng: np.random.Generator
) -> tuple[list[float], float]:
    """One timing of each, in seconds, and how much slower than at first the anchor was."""
    times = [0.0] * len(active)
    anchored = [anchor.watch.time() for _ in range(3)]
    for position, which in enumerate(rng.permutation(len(active))):
        if position % _ANCHOR_EVERY == 0:
            anchored.append(anchor.watch.time())
        times[which] = active[which].watch.time()
    return times, float(np.median(anchored)) / anchor.reference
