"""Latency tables and calibrations as stored documents."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from autoprune.errors import InputError, TableError
from autoprune.trials.table_store import TableStore


@pytest.fixture
def tables(engine: Engine) -> TableStore:
    return TableStore(engine)


def entry(cout: int, seconds: float) -> dict[str, Any]:
    return {"operator": {"op": "conv", "cout": cout, "kernel": [3, 3]}, "sample": seconds}


def test_entries_are_kept_as_they_come_and_measured_again(tables: TableStore) -> None:
    tables.save_entries("ctx", [entry(8, 1e-5)])
    tables.save_entries("ctx", [entry(16, 2e-5), entry(8, 3e-5)])
    tables.save_entries("other", [entry(8, 9.0)])
    reordered = {"operator": {"kernel": [3, 3], "cout": 16, "op": "conv"}, "sample": 4e-5}
    tables.save_entries("ctx", [reordered])
    assert sorted(e["sample"] for e in tables.entries("ctx")) == [3e-5, 4e-5]
    assert tables.entries("nothing") == []


def test_an_entry_without_operator_is_refused_with_all_of_its_batch(tables: TableStore) -> None:
    with pytest.raises(TableError, match=r"'operator'.*sample"):
        tables.save_entries("ctx", [entry(8, 1.0), {"sample": 1.0}])
    assert tables.entries("ctx") == []


def test_a_table_is_found_by_hash_prefix_and_context(tables: TableStore) -> None:
    tables.seal("ab" * 32, "ctx", {"n": 1, "x": 0.1 + 0.2})
    tables.seal("ac" * 32, "ctx", {"n": 2})
    tables.seal("ad" * 32, "other", {"n": 3})
    assert tables.table("ab" * 32) == {"n": 1, "x": 0.1 + 0.2}
    assert tables.table("AC") == {"n": 2}
    assert tables.newest("ctx") == {"n": 2}
    assert [table.hash[:2] for table in tables.tables()] == ["ad", "ac", "ab"]
    assert tables.table("ff") is None
    assert tables.table("") is None
    assert tables.newest("nothing") is None
    with pytest.raises(InputError, match="'a' is the start of several tables"):
        tables.table("a")


def test_a_sealed_table_never_changes(tables: TableStore) -> None:
    tables.seal("ab" * 32, "ctx", {"n": 1, "m": 2})
    tables.seal("ab" * 32, "ctx", {"m": 2, "n": 1})
    with pytest.raises(TableError, match="never changes"):
        tables.seal("ab" * 32, "ctx", {"n": 2})
    assert tables.table("ab") == {"n": 1, "m": 2}
    assert len(tables.tables()) == 1


def test_calibrations_belong_to_a_table_and_a_network(tables: TableStore) -> None:
    tables.seal("ab" * 32, "ctx", {})
    tables.save_calibration("c1" * 32, "ab" * 32, "resnet", {"a": 1.1})
    tables.save_calibration("c2" * 32, "ab" * 32, "vgg", {"a": 1.2})
    tables.save_calibration("c3" * 32, "ab" * 32, "resnet", {"a": 1.3})
    assert tables.calibration("c2" * 32) == {"a": 1.2}
    assert tables.calibration("c9" * 32) is None
    assert [c.document["a"] for c in tables.calibrations("ab" * 32)] == [1.3, 1.2, 1.1]
    newest = tables.calibrations("ab" * 32, "resnet")[0]
    assert (newest.hash, newest.table_hash, newest.network) == ("c3" * 32, "ab" * 32, "resnet")
    assert tables.calibrations("ff" * 32) == []


def test_a_calibration_is_sealed_and_needs_its_table(tables: TableStore) -> None:
    with pytest.raises(TableError, match="seal it first"):
        tables.save_calibration("c1" * 32, "ab" * 32, "resnet", {})
    tables.seal("ab" * 32, "ctx", {})
    tables.save_calibration("c1" * 32, "ab" * 32, "resnet", {"a": 1})
    tables.save_calibration("c1" * 32, "ab" * 32, "resnet", {"a": 1})
    with pytest.raises(TableError, match="calibration with other content"):
        tables.save_calibration("c1" * 32, "ab" * 32, "resnet", {"a": 2})
