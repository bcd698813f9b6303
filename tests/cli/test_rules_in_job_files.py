"""Rules and tied groups of a job file: checked, searched, repeated and refused."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_program import NETWORK, QUICK, TINY, FinishedJob, Said, expect_done, run_program

from autoprune import composition
from autoprune.jobs.repeating import command_of
from autoprune.spec import JobSpec, make_spec

Program = Callable[..., Said]
Refused = Callable[..., str]

NAMES = ("first", "second", "third")
FIELDS: dict[str, Any] = {
    "model": f"{TINY}:network",
    "data": f"{TINY}:split_loaders",
    "divisor": 16,
    "min_keep": 0.25,
    "rules": [
        {"layers": "first.*", "widths": [32, 16]},
        {"layers": "second.0", "divisor": 32, "min_keep": 0.5},
    ],
    "tied": [["first.0", "third.0"]],
}


def write(folder: Path, **more: object) -> Path:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump({**FIELDS, **more}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory, table: Path) -> FinishedJob:
    """A finished search of a job file with rules and tied groups."""
    folder = tmp_path_factory.mktemp("ruled")
    job = write(folder, table=str(table), budget="65%")
    words = (*QUICK, "--db", "jobs.db", "--out", "bundle", "--json")
    return FinishedJob(folder, expect_done(run_program("search", job, *words, folder=folder)))


def test_check_shows_the_widths_and_the_rules_of_every_group(
    program: Program, tmp_path: Path
) -> None:
    found = expect_done(program("check", write(tmp_path), "--json")).json
    first, second = found["groups"]
    assert (first["name"], first["layers"]) == ("first.0", ["first.0", "third.0"])
    assert (first["choices"], first["rules"]) == ([16, 32, 64], ["first.*"])
    assert (second["choices"], second["rules"]) == ([32, 64], ["second.0"])


def test_a_search_keeps_to_the_rules(ruled: FinishedJob) -> None:
    schedule = json.loads((ruled.bundle / "schedule.json").read_text(encoding="utf-8"))
    widths = {name: group["width"] for name, group in schedule["groups"].items()}
    assert widths.keys() == {"first.0", "second.0"}
    assert widths["first.0"] in (16, 32, 64)
    assert widths["second.0"] in (32, 64)
    assert min(widths.values()) < 64
    kept = {layer: seen["out_channels"][1] for layer, seen in ruled.shown["best"]["layers"].items()}
    assert kept["first.0"] == kept["third.0"] == widths["first.0"]
    assert kept["second.0"] == widths["second.0"]


def test_a_job_with_rules_is_repeated_by_its_command(ruled: FinishedJob) -> None:
    schedule = json.loads((ruled.bundle / "schedule.json").read_text(encoding="utf-8"))
    _, *words = shlex.split(schedule["provenance"]["command"])
    again = ruled.run(*words, "--json", "--workers", "1", "--out", ruled.folder / "again")
    assert expect_done(again).json["digest"] == ruled.shown["digest"]


def test_the_command_gives_every_rule_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[JobSpec] = []

    def capture(spec: JobSpec, *_: Any, **_more: Any) -> None:
        specs.append(spec)
        raise KeyboardInterrupt

    monkeypatch.setattr(composition, "submit", capture)
    rules = [{"layers": "a*", "widths": "full"}, {"layers": "b", "widths": 8}]
    spec = make_spec({**FIELDS, "rules": [*FIELDS["rules"], *rules], "db": str(tmp_path / "j.db")})
    _, *words = shlex.split(command_of(spec, {}))
    assert "null" not in " ".join(words)
    run_program(*words, folder=tmp_path)
    assert specs == [spec]


def test_another_budget_has_the_rules_of_the_job_and_takes_no_others(ruled: FinishedJob) -> None:
    answered = ruled.run("search", "--from", ruled.job, "--budget", "80%", "--json")
    layers = expect_done(answered).json["layers"]
    first, second, third = (layers[f"{name}.0"]["out_channels"][1] for name in NAMES)
    assert first == third
    assert second in (32, 64)
    for field in ("rules", "tied"):
        words = ("--budget", "80%", "--trials", "2", "--set", f"{field}=[]")
        said = ruled.run("search", "--from", ruled.job, *words)
        assert said.code == 2
        assert f"brings its own {field}" in said.err


def test_a_table_can_be_measured_for_the_rules_of_a_job_file(
    program: Program, tmp_path: Path
) -> None:
    network = ("--model", f"{TINY}:network", "--input", "1x8x8", "--divisor", "64")
    job = write(tmp_path, rules=[{"layers": "first.0", "widths": [40]}], tied=[])
    expect_done(program("latency", "measure", *network, "--rules", job, "--out", "t.json"))
    entries = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["table"]["entries"]
    outputs = {entry["operator"]["out_channels"] for entry in entries}
    assert outputs == {10, 40, 64}


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("rules", [{"layers": "fourth.*", "divisor": 8}], ("rules", "'fourth.*'", "third.0")),
        ("rules", [{"layers": "first.0", "widths": [16, 80]}], ("'first.0'", "80", "64 units")),
        ("rules", [{"layers": "first.0", "widths": 24}], ("24", "widths: [24]", "full")),
        ("rules", [{"layers": "first.0", "widths": []}], ("rules.0.widths", "first.0", "[16,")),
        ("rules", [{"layers": "first.0", "min_keep": 2}], ("rules.0.min_keep", "first.0", "got 2")),
        (
            "rules",
            [{"layers": "first.0", "keep": 8}],
            ("'rules.0.keep'", "did you mean 'min_keep'"),
        ),
        ("rules", [{"divisor": 8}], ("rules.0.layers", "is missing")),
        ("rules", ["first.0"], ("rules", "list of rules")),
        ("rules", {"layers": "first.0", "divisor": 8}, ("rules", "list of rules")),
        ("tied", ["first.0", "third.0"], ("tied", "lists of patterns")),
        ("tied", [["first.0", "fourth.0"]], ("tied", "'fourth.0'")),
        ("tied", [["first.0"]], ("'first.0' alone",)),
        ("tied", [[]], ("tied", "lists of patterns")),
    ],
)
@pytest.mark.parametrize("command", ["check", "search"])
def test_what_cannot_be_followed_is_refused(
    command: str, field: str, value: object, says: tuple[str, ...], refused: Refused, tmp_path: Path
) -> None:
    refused(2, says, command, write(tmp_path, **{"rules": [], "tied": [], field: value}))


def test_a_search_refuses_rules_that_leave_nothing(refused: Refused) -> None:
    words = ("--set", 'rules=[{"layers": "*", "widths": "full"}]')
    refused(2, ("nothing", "kept whole by the rule for '*'", "rules"), "search", *NETWORK, *words)
