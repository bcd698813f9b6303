"""Tables are merged where they were measured alike, and refused by the field that differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from latency_tables import Calibration, IncompatibleTablesError, Operator, Table, fit, merge
from latency_tables.merging import carried

TableOf = Callable[[Mapping[Operator, float]], Table]
CONV = Operator("conv", 16, 16, 8, 8, (3, 3), padding=(1, 1))
ADD = Operator("add", 16, 16, 8, 8)
WIDER = CONV.with_channels(16, 32)


def calibration_of(table: Table) -> Calibration:
    sums = [1e-3, 2e-3, 3e-3, 4e-3]
    return fit(table.hash, "net", sums, [1.1 * s for s in sums], 0.01)


def test_another_processor_is_named_with_both(table_of: TableOf) -> None:
    table = table_of({CONV: 1.0})
    device = replace(table.context.device, processor="Other CPU")
    other = replace(table, context=replace(table.context, device=device))
    with pytest.raises(
        IncompatibleTablesError, match=r"differ in device\.processor: Some CPU and Other CPU;"
    ):
        merge([table, other])


def test_another_way_of_measuring_is_named(table_of: TableOf) -> None:
    table = replace(table_of({CONV: 1.0}), method={"name": "medians", "rounds": [12, 48]})
    other = replace(table_of({ADD: 1.0}), method={"name": "medians", "rounds": [6, 48]})
    with pytest.raises(IncompatibleTablesError, match=r"method\.rounds: \[12, 48\] and \[6, 48\]"):
        merge([table, other])
    unnamed = replace(other, method={})
    with pytest.raises(IncompatibleTablesError, match=r"method\.name: medians and nothing"):
        merge([table, unnamed])


def test_a_calibration_goes_with_its_table_where_no_price_changes(table_of: TableOf) -> None:
    table = table_of({CONV: 1.0})
    calibration = calibration_of(table)
    merged = merge([table, table_of({ADD: 2.0})])
    found = carried(calibration, table, merged)
    assert found == replace(calibration, table=merged.hash)
    assert found is not None
    assert found.hash != calibration.hash


@pytest.mark.parametrize("other", [{CONV: 3.0}, {WIDER: 2.0}], ids=["remeasured", "new width"])
def test_a_calibration_is_left_out_where_a_price_may_change(
    table_of: TableOf, other: Mapping[Operator, float]
) -> None:
    table = table_of({CONV: 1.0})
    merged = merge([table, table_of(other)])
    assert carried(calibration_of(table), table, merged) is None
