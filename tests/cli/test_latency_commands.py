"""Measuring, showing and checking tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tiny_program import SPACE, TINY, Said, expect_done, run_program

Measured = tuple[Path, Said]
ABOUT = (
    "hash",
    "runtime",
    "runtime_version",
    "batch",
    "threads",
    "dtype",
    "processor",
    "operators",
)


def test_measuring_prints_the_table_it_wrote(measuring: Measured) -> None:
    path, said = measuring
    measured = said.json
    assert set(measured) >= set(ABOUT)
    assert (measured["runtime"], measured["batch"], measured["threads"]) == ("onnxruntime", 1, 1)
    assert measured["operators"] == len(json.loads(path.read_text())["table"]["entries"])
    assert measured["calibration"]["networks"] >= 10
    assert "measuring operators" in said.err


def test_show_lists_the_tables_of_a_database(measuring: Measured) -> None:
    path, said = measuring
    listed = run_program("latency", "show", "--db", "tables.db", "--json", folder=path.parent)
    assert [row["hash"] for row in listed.json] == [said.json["hash"]]
    shown = run_program("latency", "show", "--db", "tables.db", folder=path.parent)
    assert said.json["hash"][:16] in shown.out


def test_show_reads_a_file_or_a_hash(measuring: Measured, program: Callable[..., Said]) -> None:
    path, said = measuring
    from_file = expect_done(program("latency", "show", path, "--json")).json
    assert from_file["hash"] == said.json["hash"]
    assert from_file["calibrations"] == [said.json["calibration"]]
    by_hash = run_program(
        *("latency", "show", said.json["hash"][:12], "--db", "tables.db", "--json"),
        folder=path.parent,
    )
    assert expect_done(by_hash).json == from_file


def test_show_without_a_database_lists_nothing(
    program: Callable[..., Said], tmp_path: Path
) -> None:
    assert expect_done(program("latency", "show", "--json")).json == []
    assert list(tmp_path.iterdir()) == []


def test_entries_are_every_operator_with_its_latency(
    measuring: Measured, program: Callable[..., Said]
) -> None:
    path, said = measuring
    shown = program("latency", "show", path, "--entries", "--json").json
    assert len(shown["entries"]) == said.json["operators"]
    assert "median" in program("latency", "show", path, "--entries").out


def test_check_measures_whole_networks_again(
    measuring: Measured, program: Callable[..., Said]
) -> None:
    path, said = measuring
    network = ("--model", f"{TINY}:network", "--input", "1x8x8", *SPACE)
    checked = expect_done(program("latency", "check", *network, "--table", path, "--json")).json
    assert checked["hash"] == said.json["hash"]
    assert checked["calibration"]["hash"] != said.json["calibration"]["hash"]


def test_measuring_again_reuses_what_is_measured(measuring: Measured) -> None:
    path, said = measuring
    network = ("--model", f"{TINY}:network", "--input", "1x8x8", *SPACE)
    again = run_program(
        *("latency", "measure", *network, "--db", "tables.db", "--json"), folder=path.parent
    )
    assert expect_done(again).json["hash"] == said.json["hash"]
