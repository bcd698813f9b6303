"""One table of several, where they were measured under the same conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from latency_tables.calibration import Calibration
from latency_tables.errors import IncompatibleTablesError
from latency_tables.operators import Operator
from latency_tables.table import Table


def merge(tables: Sequence[Table]) -> Table:
    """One table with the entries of all; where an operator occurs twice, the last table's counts.

    Raises:
        IncompatibleTablesError: conditions differ; names the field.
        ValueError: no table was given.
    """
    if not tables:
        raise ValueError("expected at least one table to merge")
    for other in tables[1:]:
        check_same_conditions(tables[0], other)
    entries = {entry.operator: entry for table in tables for entry in table.entries}
    return Table(tables[0].context, tuple(entries.values()), tables[0].method)


def check_same_conditions(first: Table, other: Table) -> None:
    """Refuse latencies that were measured under different conditions, or by different methods.

    Raises:
        IncompatibleTablesError: names the first differing field, as in ``device.processor``, and
            both values.
    """
    found = _difference(first.context, other.context) or _difference(
        dict(first.method), dict(other.method), "method"
    )
    if found is not None:
        name, ours, theirs = found
        raise IncompatibleTablesError(
            f"the tables differ in {name}: {ours} and {theirs}; latencies of different conditions "
            "may not be mixed, so measure both under one"
        )


def carried(calibration: Calibration, table: Table, merged: Table) -> Calibration | None:
    """The calibration for the table its own was merged into; None where it may not hold there.

    It holds where the merged table has the same price for whatever the calibrated networks ran:
    every entry of the table is there as it was, and none is new at other widths of the same
    operators, where it would replace an interpolated price.
    """
    own, now = set(table.entries), set(merged.entries)
    known = {_at_no_width(entry.operator) for entry in own}
    if not own <= now or any(_at_no_width(entry.operator) in known for entry in now - own):
        return None
    return replace(calibration, table=merged.hash)


def _at_no_width(op: Operator) -> Operator:
    return replace(op, in_channels=0, out_channels=0, groups=0)


def _difference(first: Any, other: Any, name: str = "") -> tuple[str, Any, Any] | None:
    """The first field in which two values differ, by its path, with both values."""
    if first == other:
        return None
    ours, theirs = _parts(first), _parts(other)
    if ours is None or theirs is None:
        return name, first, other
    absent = "nothing"
    for key in dict.fromkeys((*ours, *theirs)):
        path = f"{name}.{key}" if name else str(key)
        found = _difference(ours.get(key, absent), theirs.get(key, absent), path)
        if found is not None:
            return found
    return name, first, other


def _parts(value: Any) -> Mapping[str, Any] | None:
    if is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return value if isinstance(value, Mapping) else None
