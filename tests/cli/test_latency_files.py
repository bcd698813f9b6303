"""Tables go from machine to machine in files; files that cannot be used change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_program import NETWORK, SPACE, TINY, Said, contents_of, expect_done, run_program

from latency_tables import Table, load, save

Measured = tuple[Path, Said]
Program = Callable[..., Said]
Refused = Callable[..., str]
SHAPED = ("--model", f"{TINY}:network", "--input", "1x8x8", *SPACE)


def test_a_table_of_a_database_is_exported_with_its_calibrations(measuring: Measured) -> None:
    path, said = measuring
    selector = said.json["hash"][:12]
    told = run_program(
        *("latency", "export", selector, "--db", "tables.db", "--out", "copy.json", "--json"),
        folder=path.parent,
    )
    assert expect_done(told).json["hash"] == said.json["hash"]
    assert load(path.parent / "copy.json") == load(path)


def test_an_imported_table_is_there_and_nothing_of_it_is_measured_again(
    table: Path, program: Program, tmp_path: Path
) -> None:
    said = expect_done(program("latency", "import", table, "--db", "new.db", "--json"))
    listed = program("latency", "show", "--db", "new.db", "--json").json
    assert [row["hash"] for row in listed] == [said.json["hash"]]
    before = contents_of(tmp_path / "new.db")
    again = program("latency", "measure", *SHAPED, "--db", "new.db", "--json")
    assert expect_done(again).json["hash"] == said.json["hash"]
    assert contents_of(tmp_path / "new.db") == before


def split(path: Path, folder: Path) -> tuple[Path, Path]:
    """A table in two files: convolutions, and the rest with the calibrations left out."""
    table, _ = load(path)
    convs = tuple(entry for entry in table.entries if entry.operator.kind == "conv")
    rest = tuple(entry for entry in table.entries if entry.operator.kind != "conv")
    for name, entries in (("convs.json", convs), ("rest.json", rest)):
        save(folder / name, Table(table.context, entries, table.method))
    return folder / "convs.json", folder / "rest.json"


def test_merged_files_are_one_table(table: Path, program: Program, tmp_path: Path) -> None:
    split(table, tmp_path)
    told = program("latency", "merge", "convs.json", "rest.json", "--out", "both.json", "--json")
    assert expect_done(told).json["hash"] == load(table)[0].hash
    merged = program("latency", "merge", "rest.json", table, "--out", "again.json", "--json")
    assert len(expect_done(merged).json["calibrations"]) == 1
    assert load(tmp_path / "again.json") == load(table)


def test_tables_of_two_machines_do_not_merge(table: Path, refused: Refused, tmp_path: Path) -> None:
    ours, _ = load(table)
    device = replace(ours.context.device, processor="Other CPU")
    save(tmp_path / "other.json", replace(ours, context=replace(ours.context, device=device)))
    refused(
        2,
        (
            "tiny.json and other.json",
            "device.processor",
            ours.context.device.processor,
            "Other CPU",
        ),
        *("latency", "merge", table, "other.json", "--out", "both.json"),
    )


def cut_short(text: str) -> str:
    return text[: len(text) // 2]


def edited(text: str) -> str:
    document = json.loads(text)
    document["table"]["entries"][0]["sample"]["median_s"] *= 0.5
    return json.dumps(document)


def newer(text: str) -> str:
    return json.dumps({**json.loads(text), "version": 99})


BROKEN: dict[str, tuple[Callable[[str], str] | None, tuple[str, ...]]] = {
    "cut short": (cut_short, ("t.json", "cut short", "copy it again")),
    "edited": (edited, ("t.json", "altered", "measure it again")),
    "newer": (newer, ("t.json", "version 99", "update autoprune")),
    "empty": (lambda text: "", ("t.json", "empty")),
    "folder": (None, ("t.json", "directory")),
}
COMMANDS = {
    "show": ("latency", "show", "t.json"),
    "plot": ("latency", "show", "t.json", "--plot", "out.html"),
    "export": ("latency", "export", "t.json", "--out", "copy.json"),
    "import": ("latency", "import", "t.json"),
    "merge": ("latency", "merge", "t.json", "t.json", "--out", "both.json"),
    "check": ("latency", "check", *SHAPED, "--table", "t.json"),
    "search": ("search", *NETWORK, "--table", "t.json"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_table_file_is_refused_by_every_command(
    what: str, command: str, table: Path, refused: Refused, tmp_path: Path
) -> None:
    spoil, says = BROKEN[what]
    if spoil is None:
        (tmp_path / "t.json").mkdir()
    else:
        (tmp_path / "t.json").write_text(spoil(table.read_text()))
    refused(2, says, *COMMANDS[command])


def test_an_unknown_table_is_not_exported(refused: Refused) -> None:
    refused(2, ("absent", "latency measure"), "latency", "export", "absent", "--out", "t.json")


@pytest.mark.parametrize("command", ["search", "measure", "check"])
@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--batch", "0", ("batch", "at least 1")),
        ("--threads", "0", ("threads", "at least 1")),
        ("--threads", "4096", ("4096 threads", "cores", "--threads")),
    ],
)
def test_a_batch_or_threads_that_cannot_be_are_refused(
    command: str, option: str, value: str, says: tuple[str, ...], refused: Refused
) -> None:
    words = ("search", *NETWORK) if command == "search" else ("latency", command, *SHAPED)
    refused(2, says, *words, option, value)


def test_a_table_of_other_threads_than_asked_for_is_refused(
    table: Path, refused: Refused, tiny: tuple[str, ...]
) -> None:
    refused(2, ("threads 1", "threads 2"), "search", *tiny, "--threads", "2")
    refused(2, ("onnxruntime", "torch"), "search", *tiny, "--runtime", "torch")


def test_a_layer_that_cannot_be_exported_is_named_before_anything_is_measured(
    refused: Refused,
) -> None:
    network = ("--model", f"{Path(__file__).with_name('odd_models.py')}:uneven_pool")
    refused(
        2,
        ("layer 'pool' (AdaptiveAvgPool2d", "adaptive_avg_pool2d", "onnxruntime"),
        *("latency", "measure", *network, "--input", "3x8x8", "--out", "t.json"),
    )


def test_the_plot_is_of_operators_or_of_a_networks_layers(
    table: Path, program: Program, tmp_path: Path
) -> None:
    expect_done(program("latency", "show", table, "--plot", "out.html"))
    page = (tmp_path / "out.html").read_text()
    assert "conv3x3 at 8x8" in page
    assert "Plotly.react" in page
    expect_done(program("latency", "show", table, "--plot", "net.html", *SHAPED))
    layers = (tmp_path / "net.html").read_text()
    assert "second.0, third.0" in layers
    assert "Widths of the 3 groups" in layers
