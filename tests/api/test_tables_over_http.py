"""Latency tables: listed, read in pages, and stored when nothing of them is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_server import Server, expect_problem
from served_world import World
from tiny_program import expect_done, run_program

from autoprune.trials.engine import connect
from autoprune.trials.table_store import StoredTable, TableStore
from latency_tables.canonical import content_hash

Document = dict[str, Any]


@pytest.fixture
def document(table_file: Path) -> Document:
    found: Document = json.loads(table_file.read_text())
    return found


def sealed(document: Document) -> Document:
    """With the seals of whoever made it: anybody can make them."""
    table = document["table"]
    content = {key: table[key] for key in ("context", "entries", "method")}
    table["hash"] = content_hash(content)
    for calibration in document["calibrations"]:
        calibration["table"] = table["hash"]
        inner = {k: v for k, v in calibration.items() if k not in ("version", "hash")}
        calibration["hash"] = content_hash(inner)
    document.pop("seal", None)
    document["seal"] = content_hash(document)
    return document


def test_the_tables_are_listed_as_the_command_does(server: Server, world: World) -> None:
    listed = [table for page in server.pages("/v1/tables?limit=1") for table in page]
    printed = world.printed("latency", "show")
    assert [table["hash"] for table in listed] == [table["hash"] for table in printed]
    assert world.table in [table["hash"] for table in listed]
    assert listed[0]["operators"] == printed[0]["operators"]


def test_a_table_is_read_in_pages_of_entries(
    server: Server, world: World, document: Document
) -> None:
    pages = list(server.pages(f"/v1/tables/{world.table}?limit=10"))
    assert [entry for page in pages for entry in page] == document["table"]["entries"]
    first = server.read(f"/v1/tables/{world.table}?limit=1")
    assert first["operators"] == len(document["table"]["entries"])
    assert first["calibrations"][0]["networks"] >= 4
    cursor = first["next"]
    other = server.read("/v1/tables?limit=1")["next"]
    server.refused("cursor-invalid", "GET", f"/v1/tables?cursor={cursor}")
    if other is not None:
        server.refused("cursor-invalid", "GET", f"/v1/tables/{world.table}?cursor={other}")


def test_an_exported_file_is_stored_once_with_its_calibrations(
    server: Server, world: World, document: Document
) -> None:
    document["table"]["method"]["note"] = "another table"
    document = sealed(document)
    for _ in range(2):
        answer = server.post("/v1/tables", json=document)
        assert answer.status_code == 201, answer.text
        assert answer.json()["hash"] == document["table"]["hash"]
        assert answer.headers["location"] == f"/v1/tables/{document['table']['hash']}"
    hashes = [table.hash for table in _tables(world)]
    assert hashes.count(document["table"]["hash"]) == 1
    exported = world.folder / "again.json"
    words = ("latency", "export", document["table"]["hash"], "--out", str(exported))
    expect_done(run_program(*words, "--db", world.db, folder=world.folder))
    assert json.loads(exported.read_text())["table"] == document["table"]


def _tables(world: World) -> list[StoredTable]:
    return TableStore(connect(world.db)).tables()


def _altered(document: Document) -> Document:
    document["table"]["entries"][0]["sample"]["median_s"] = 1e-9
    return document


def _with(path: str, value: Any) -> Callable[[Document], Document]:
    def change(document: Document) -> Document:
        *parents, last = path.split(".")
        place: Any = document
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place[name]
        place[last] = value
        try:
            return sealed(document)
        except (TypeError, KeyError, ValueError):
            return document

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda document: {},
        lambda document: {"format": "autoprune latency table"},
        lambda document: document["table"],
        _altered,
        _with("version", 99),
        _with("version", "1"),
        _with("table", []),
        _with("table.entries", [1]),
        _with("table.entries", {}),
        _with("table.context", None),
        _with("table.context.device", "here"),
        _with("table.context.threads", "two"),
        _with("table.context.runtime", ["x"]),
        _with("table.method", "fast"),
        _with("table.entries.0.sample.median_s", "quick"),
        _with("table.entries.0.sample.median_s", -1.0),
        _with("table.entries.0.sample.median_s", None),
        _with("table.entries.0.sample.quantiles", ["a"]),
        _with("table.entries.0.operator.kind", "teleport"),
        _with("table.entries.0.operator.in_channels", 1e9),
        _with("table.entries.0.operator.in_channels", -3),
        _with("table.entries.0.operator.kernel", [[[1]]]),
        _with("table.entries.0.operator.nonsense", 1),
        _with("calibrations", {}),
        _with("calibrations", [None]),
        _with("calibrations.0.runs", []),
        _with("calibrations.0.margin", "wide"),
        _with("calibrations.0.network", 7),
        _with("calibrations.0.law", {}),
    ],
)
def test_what_is_no_sound_table_is_refused_and_not_stored(
    server: Server,
    world: World,
    document: Document,
    change: Callable[[Document], Document],
) -> None:
    before = _tables(world)
    answer = server.post("/v1/tables", json=change(copy.deepcopy(document)))
    expect_problem(answer, "table-refused")
    assert _tables(world) == before
