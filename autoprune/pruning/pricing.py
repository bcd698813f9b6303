"""The operators of a network at all their legal widths, priced by a latency table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autoprune.errors import TableError
from autoprune.pruning.pair_grids import Axes, FloatArray, Grid, IntArray
from autoprune.pruning.terms import Term
from latency_tables.errors import MissingOperatorError
from latency_tables.table import Table


@dataclass(frozen=True)
class Priced:
    """One operator's price at every pair of its channel counts.

    Args:
        seconds: not calibrated.
        interpolated: 1.0 where the price lies between measured ones, else 0.0.
    """

    term: Term
    seconds: Grid
    interpolated: Grid


def price(terms: Iterable[Term], axes: Axes, table: Table) -> list[Priced]:
    """Look every operator up; operators alike are looked up once.

    Raises:
        TableError: the table lacks one; names the layer.
    """
    known: dict[tuple[object, ...], tuple[FloatArray, FloatArray]] = {}
    priced = []
    for term in terms:
        first, second = term.sides
        ins, outs = axes.of(first).totals, axes.of(second).totals
        key = (term.operator, term.repeats, tuple(ins), tuple(outs))
        if key not in known:
            known[key] = _ask(table, term, ins, outs)
        seconds, interpolated = known[key]
        priced.append(Priced(term, Grid(first, second, seconds), Grid(first, second, interpolated)))
    return priced


def _ask(table: Table, term: Term, ins: IntArray, outs: IntArray) -> tuple[FloatArray, FloatArray]:
    """Seconds and whether interpolated, both [A, B]."""
    try:
        if term.repeats is not None:
            seconds, measured = _repeated(table, term, ins)
        elif term.equal:
            seconds, measured = table.prices_equal(term.operator, ins)
            seconds, measured = seconds[:, None], measured[:, None]
        else:
            seconds, measured = table.prices(term.operator, ins, outs)
    except MissingOperatorError as error:
        raise TableError(f"layer {term.layer!r}: {error}") from error
    return seconds, (~measured).astype(np.float64)


def _repeated(
    table: Table, term: Term, counts: IntArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Seconds and whether measured, both [A, 1], of an operator that is repeated."""
    found = []
    for count in counts:
        op = term.between(int(count), 1)
        if term.equal:
            found.append(table.prices_equal(op, [op.in_channels]))
        else:
            found.append(table.prices(op, [op.in_channels], [op.out_channels]))
    seconds, measured = (np.array([float(pair[side].item()) for pair in found]) for side in (0, 1))
    return seconds[:, None], measured[:, None] > 0
