from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency_tables import (
    Calibration,
    IncompatibleTablesError,
    Operator,
    Table,
    TableFileError,
    fit,
    load,
    merge,
    save,
    this_device,
)

TableOf = Callable[[Mapping[Operator, float]], Table]
CONV = Operator("conv", 16, 16, 8, 8, (3, 3), padding=(1, 1))
ADD = Operator("add", 16, 16, 8, 8)


@pytest.fixture
def table(table_of: TableOf) -> Table:
    return table_of({CONV: 2e-5, replace(CONV, activation="relu"): 2.1e-5, ADD: 3e-6})


@pytest.fixture
def stored(table: Table, tmp_path: Path) -> Path:
    sums = [1e-3, 2e-3, 3e-3, 4e-3, 5e-3]
    calibration = fit(table.hash, "net", sums, [1.1 * s for s in sums], 0.01)
    save(tmp_path / "table.json", table, [calibration])
    return tmp_path / "table.json"


def edited(path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))
    return path


def test_the_hash_depends_on_content_and_not_on_order(table: Table) -> None:
    assert Table(table.context, table.entries[::-1], table.method).hash == table.hash
    faster = replace(table, context=replace(table.context, batch=2))
    assert faster.hash != table.hash
    assert replace(table, entries=table.entries[1:]).hash != table.hash


def test_a_table_and_its_calibrations_come_back_as_saved(stored: Path, table: Table) -> None:
    loaded, calibrations = load(stored)
    assert loaded == table
    assert loaded.hash == table.hash
    assert [each.network for each in calibrations] == ["net"]
    assert calibrations[0].table == table.hash
    assert [path.name for path in stored.parent.iterdir()] == ["table.json"]


def test_saving_over_a_table_replaces_it(stored: Path, table_of: TableOf) -> None:
    other = table_of({ADD: 1.0})
    save(stored, other)
    assert load(stored) == (other, ())


def test_an_altered_latency_is_noticed(stored: Path) -> None:
    def speed_up(values: dict[str, Any]) -> None:
        values["table"]["entries"][0]["sample"]["median_s"] /= 2

    with pytest.raises(TableFileError, match="altered"):
        load(edited(stored, speed_up))


def test_an_altered_table_without_its_file_is_noticed(table: Table) -> None:
    values = json.loads(json.dumps(table.to_json()))
    values["entries"][0]["sample"]["median_s"] /= 2
    with pytest.raises(TableFileError, match="altered"):
        Table.from_json(values)


def test_a_file_of_a_newer_format_is_refused(stored: Path) -> None:
    newer = edited(stored, lambda values: values.update(version=99))
    with pytest.raises(TableFileError, match=r"version 99.*update"):
        load(newer)


def test_a_table_or_calibration_of_a_newer_format_is_refused(table: Table) -> None:
    calibration = fit(table.hash, "net", [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], 0.0)
    with pytest.raises(TableFileError, match=r"latency table is of format version 99.*update"):
        Table.from_json({**table.to_json(), "version": 99})
    with pytest.raises(TableFileError, match=r"calibration is of format version 99.*update"):
        Calibration.from_json({**calibration.to_json(), "version": 99})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "something else"}', "\x00\xff"])
def test_what_is_not_a_table_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "no-table.json"
    path.write_text(content)
    with pytest.raises(TableFileError, match=r"no-table\.json is not a latency table"):
        load(path)


@pytest.mark.parametrize("left", [0, 1, 40, 400, -2])
def test_a_file_that_was_cut_short_is_refused(stored: Path, left: int) -> None:
    content = stored.read_bytes()
    stored.write_bytes(content[:left])
    with pytest.raises(TableFileError, match=r"table\.json is not a latency table.* copy it again"):
        load(stored)


def test_a_number_that_no_seal_allows_is_an_alteration(stored: Path) -> None:
    def no_number(values: dict[str, Any]) -> None:
        values["table"]["entries"][0]["sample"]["median_s"] = float("nan")

    with pytest.raises(TableFileError, match="altered"):
        load(edited(stored, no_number))


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(TableFileError, match=r"cannot read the latency table .*directory"):
        load(tmp_path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableFileError, match=r"cannot read .*gone\.json"):
        load(tmp_path / "gone.json")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, table: Table) -> None:
    with pytest.raises(TableFileError, match=r"cannot write .*table\.json"):
        save(tmp_path / "no-folder" / "table.json", table)


def test_a_calibration_of_another_table_is_not_saved(tmp_path: Path, table: Table) -> None:
    foreign = fit("0" * 64, "net", [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], 0.0)
    with pytest.raises(TableFileError, match="calibrate again"):
        save(tmp_path / "table.json", table, [foreign])
    assert list(tmp_path.iterdir()) == []


def test_an_operator_may_not_occur_twice(table: Table) -> None:
    with pytest.raises(ValueError, match="twice"):
        replace(table, entries=(*table.entries, table.entries[0]))


def test_merging_takes_the_last_measurement_of_each_operator(table_of: TableOf) -> None:
    merged = merge([table_of({CONV: 1.0, ADD: 2.0}), table_of({CONV: 3.0})])
    assert merged.price(CONV).seconds == 3.0
    assert merged.price(ADD).seconds == 2.0


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch", 8), ("threads", 2), ("runtime_version", "0"), ("device", this_device())],
)
def test_tables_of_different_conditions_do_not_merge(
    table: Table, field: str, value: object
) -> None:
    other = replace(table, context=replace(table.context, **{field: value}))
    with pytest.raises(IncompatibleTablesError, match=f"differ in {field}"):
        merge([table, other])


def test_operators_sort_though_some_have_no_activation() -> None:
    relu = replace(CONV, activation="relu")
    assert sorted([relu, CONV]) == [CONV, relu]
    assert Operator.from_json(json.loads(json.dumps(relu.to_json()))) == relu
