"""A latency table made up for the tests of costs."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import get_args

from latency_tables.calibration import Calibration
from latency_tables.device import DeviceFingerprint
from latency_tables.law import Law
from latency_tables.operators import Operator, OperatorKind
from latency_tables.runtimes import runtime
from latency_tables.statistics import Sample
from latency_tables.table import Entry, Table, TableContext

KINDS = get_args(OperatorKind)


def made_up_price(op: Operator) -> float:
    """Seconds that depend on every trait a term can get wrong."""
    size = op.height * op.width * op.kernel[0] * op.kernel[1] / (op.stride[0] * op.groups)
    kind = 1 + KINDS.index(op.kind)
    return 1e-9 * kind * (size * op.in_channels * op.out_channels + 7 * op.out_channels + 100)


def made_up_table(operators: Iterable[Operator]) -> Table:
    """A table that holds the made-up price of every operator."""
    device = DeviceFingerprint("Some CPU", "x86_64", 8, "AVX512", "Linux")
    normalised = {runtime("onnxruntime").normalise(op) for op in operators}
    entries = []
    for op in normalised:
        seconds = made_up_price(op)
        entries.append(Entry(op, Sample(seconds, 0.0, (seconds,) * 5, repeats=12, noisy=False)))
    return Table(TableContext("onnxruntime", "1", 1, 1, device), tuple(entries))


def made_up_calibration(scale: float, offset_s: float, cache_bytes: float = inf) -> Calibration:
    """A law that asks nothing for the weights; its figures of trust say nothing."""
    law = Law(scale, 0.0, cache_bytes, offset_s, least_s=1e-9)
    return Calibration("t", "n", law, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, runs=())
