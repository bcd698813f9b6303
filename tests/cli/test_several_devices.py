"""One schedule under the budgets of several devices."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tiny_net
import torch
from tiny_program import NETWORK, QUICK, SPACE, FinishedJob, expect_done, run_program

import autoprune
from autoprune.errors import InputError
from autoprune.export.files import check_seal, read_schedule
from autoprune.spec import make_spec
from latency_tables import DeviceFingerprint
from latency_tables.storage import load, save
from latency_tables.table import Table

SEARCH = ("search", *NETWORK, *QUICK, "--db", "jobs.db")
BOARD = DeviceFingerprint("Some board", "aarch64", 4, "NEON", "Linux")
SLOWER = 10.0


def on_board(table: Path, out: Path, **context: Any) -> Path:
    """The same network on a made-up device that takes ten times as long."""
    measured, (calibration,) = load(table)
    there = Table(
        replace(measured.context, device=BOARD, **context), measured.entries, measured.method
    )
    law = calibration.law
    slow_law = replace(
        law,
        scale=SLOWER * law.scale,
        seconds_per_byte=SLOWER * law.seconds_per_byte,
        offset_s=SLOWER * law.offset_s,
        least_s=SLOWER * law.least_s,
    )
    slow = replace(
        calibration,
        table=there.hash,
        law=slow_law,
        runs=tuple(replace(r, measured_s=SLOWER * r.measured_s) for r in calibration.runs),
    )
    save(out, there, [slow])
    return out


@pytest.fixture(scope="module")
def edge(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return on_board(table, tmp_path_factory.mktemp("edge") / "edge.json")


@pytest.fixture(scope="module")
def job(table: Path, edge: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedJob:
    folder = tmp_path_factory.mktemp("several")
    said = run_program(
        *SEARCH,
        *("--budget", "edge=60%", "--budget", "cpu=90%", "--budget", "macs=95%"),
        *("--table", f"cpu={table}", "--table", f"edge={edge}", "--out", "bundle", "--json"),
        folder=folder,
    )
    return FinishedJob(folder, expect_done(said))


def test_another_budget_from_the_job_may_bound_fewer_devices(
    job: FinishedJob, tmp_path: Path
) -> None:
    both = ("--budget", "edge=45%", "--budget", "cpu=80%")
    shown = expect_done(job.run("search", "--from", job.job, *both, "--json")).json
    assert set(shown["latencies_s"]) == {"cpu", "edge"}
    assert shown["latencies_s"]["edge"] <= 0.45 * _base_s(job, "edge")
    assert shown["latencies_s"]["cpu"] <= 0.8 * _base_s(job, "cpu")
    words = (
        "--from",
        job.job,
        "--budget",
        "cpu=70%",
        "--trials",
        "2",
        "--out",
        str(tmp_path / "b"),
    )
    alone = expect_done(job.run("search", *words, "--finetune-epochs", "0", "--json")).json
    assert [row["name"] for row in alone["best"]["devices"]] == ["cpu"]
    unnamed = job.run("search", "--from", job.job, "--budget", "50%")
    assert unnamed.code == 2
    assert "edge=50%" in unnamed.err


def _base_s(job: FinishedJob, device: str) -> float:
    rows = job.shown["best"]["devices"]
    return next(float(row["base_s"]) for row in rows if row["name"] == device)


def test_the_schedule_meets_the_budget_of_every_device(job: FinishedJob, edge: Path) -> None:
    best = job.shown["best"]
    rows = {row["name"]: row for row in best["devices"]}
    assert list(rows) == ["edge", "cpu"]
    for name, fraction in (("edge", 0.6), ("cpu", 0.9)):
        row = rows[name]
        assert row["limit_s"] == pytest.approx(fraction * row["base_s"])
        assert row["predicted_s"] <= row["limit_s"]
    # Where nothing is measured the margin stays free.
    margin = load(edge)[1][0].margin
    assert rows["edge"]["predicted_s"] <= (1 - margin) * rows["edge"]["limit_s"] * (1 + 1e-9)
    # What is slower throughout by one factor is bound by the lower of the two fractions.
    assert rows["edge"]["predicted_s"] == pytest.approx(SLOWER * rows["cpu"]["predicted_s"])
    assert best["macs"] <= 0.95 * job.shown["base"]["macs"]


def test_what_runs_here_is_measured_and_the_rest_says_predicted(job: FinishedJob) -> None:
    shown = job.shown
    rows = {row["name"]: row for row in shown["best"]["devices"]}
    assert (rows["cpu"]["status"], rows["edge"]["status"]) == ("measured", "predicted")
    assert rows["edge"]["measured_s"] is None
    assert rows["cpu"]["measured_s"] == shown["best"]["measured_latency_s"]
    assert shown["base"]["measured_latency_s"] == rows["cpu"]["base_s"]
    assert shown["budget"]["latency_s"] == rows["cpu"]["limit_s"]
    out = job.run("show", job.job).out
    (line,) = [line for line in out.splitlines() if "Some board" in line]
    assert "predicted" in line


def test_the_bundle_says_both(job: FinishedJob, finished: FinishedJob) -> None:
    schema = Path(autoprune.__file__).with_name("export") / "schedule.schema.json"
    content = json.loads((job.bundle / "schedule.json").read_text())
    jsonschema.validate(content, json.loads(schema.read_text()))
    assert content["devices"] == job.shown["best"]["devices"]
    assert content["latency"]["status"] == "measured"
    schedule = read_schedule(job.bundle)
    check_seal(job.bundle, schedule)
    assert schedule.device["processor"] != "Some board"
    assert "devices" not in json.loads((finished.bundle / "schedule.json").read_text())


def test_the_command_in_the_bundle_and_a_resume_end_with_the_same_digest(
    job: FinishedJob, tmp_path: Path
) -> None:
    assert job.run("resume", job.job, "--json").json == job.shown
    command = shlex.split(read_schedule(job.bundle).provenance.command)[1:]
    again = run_program(*command, "--workers", "1", "--out", "again", "--json", folder=tmp_path)
    assert expect_done(again).json["digest"] == job.shown["digest"]


def test_why_is_told_for_each_device(job: FinishedJob) -> None:
    why = {item["table"]: item for item in job.run("show", job.job, "--why", "--json").json["why"]}
    assert set(why) == {"cpu", "edge"}
    assert why["edge"]["saved_s"] == pytest.approx(SLOWER * why["cpu"]["saved_s"])
    assert "on edge" in job.run("show", job.job, "--why").out


def test_no_device_at_hand_needs_unmeasured(
    refused: Callable[..., str], edge: Path, tmp_path: Path
) -> None:
    given = ("--budget", "edge=60%", "--table", f"edge={edge}", "--db", "new.db", "--out", "b")
    refused(2, ("another device", "--unmeasured"), *SEARCH, *given)


def test_unmeasured_every_device_is_predicted(edge: Path, tmp_path: Path) -> None:
    given = ("--budget", "edge=60%", "--table", f"edge={edge}", "--unmeasured", "--json")
    said = expect_done(run_program(*SEARCH, *given, "--trials", "1", folder=tmp_path))
    (row,) = said.json["best"]["devices"]
    assert (row["status"], row["measured_s"]) == ("predicted", None)


def test_under_the_floor_of_one_device_says_which(
    refused: Callable[..., str], table: Path, edge: Path
) -> None:
    tables = ("--table", f"cpu={table}", "--table", f"edge={edge}")
    refused(
        3,
        ("'edge=1%'", "floor on edge (Some board, onnxruntime)", "what makes it up"),
        *(*SEARCH, *tables, "--budget", "cpu=90%", "--budget", "edge=1%"),
    )


def test_a_table_of_another_batch_is_named(
    refused: Callable[..., str], table: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = on_board(table, tmp_path_factory.mktemp("batch") / "two.json", batch=2)
    tables = ("--table", f"cpu={table}", "--table", f"edge={other}")
    refused(
        2,
        ("table 'edge'", "batch 2", "batch 1"),
        *(*SEARCH, *tables, "--budget", "cpu=90%", "--budget", "edge=60%"),
    )


@pytest.mark.parametrize(
    ("budget", "table", "says"),
    [
        (["cpu=50%"], None, "'cpu=50%'.*--table cpu=FILE"),
        (["cpu=50%"], "a.json", "'cpu=50%'.*--table cpu=FILE"),
        (["cpu=50%", "edge=8ms"], {"cpu": "a.json"}, "'edge=8ms'.*tables given: cpu"),
        (["cpu=50%"], {"cpu": "a.json", "edge": "b.json"}, "no budget bounds table 'edge'"),
        (["macs=50%"], {"cpu": "a.json"}, "no budget bounds table 'cpu'"),
        (["50%"], {"cpu": "a.json"}, "'50%' does not say which table.*cpu=50%"),
        (["cpu=50%", "cpu=8ms"], {"cpu": "a.json"}, "twice"),
        (["macs=50%"], {"macs": "a.json"}, "cannot be named 'macs'"),
        (["cpu=50%"], {}, "at least 1"),
        (["cpu=5k"], {"cpu": "a.json"}, "'k' is none of %, s, ms, us"),
    ],
)
def test_names_that_do_not_match_are_refused(
    budget: list[str], table: dict[str, str] | str | None, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        make_spec({"budget": budget, "table": table})


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        (("cpu=a.json", "b.json"), "'b.json' has no name"),
        (("a.json", "b.json"), "'a.json' has no name"),
        (("cpu=a.json", "cpu=b.json"), "two tables are named 'cpu'"),
    ],
)
def test_options_that_name_tables_wrongly_are_refused(
    refused: Callable[..., str], tables: tuple[str, ...], says: str
) -> None:
    options = [word for table in tables for word in ("--table", table)]
    refused(2, (says,), *SEARCH, "--budget", "cpu=50%", *options)


def test_a_job_file_and_python_name_tables_in_a_mapping(table: Path, tmp_path: Path) -> None:
    torch_table = tmp_path / "torch.json"
    measure = ("latency", "measure", "--model", NETWORK[1], "--input", "1x8x8", *SPACE)
    expect_done(run_program(*measure, "--runtime", "torch", "--out", torch_table, folder=tmp_path))
    result = autoprune.search(
        tiny_net.network(),
        torch.zeros(1, 1, 8, 8),
        **tiny_net.split_loaders(),
        budget=["eager=90%", "ort=70%"],
        table={"ort": str(table), "eager": str(torch_table)},
        db=str(tmp_path / "jobs.db"),
        searcher="random",
        trials=2,
        divisor=16,
        min_keep=0.25,
        race_steps=1,
        finetune_epochs=0,
        fidelity={"steps": 1, "batch_size": 16},
    )
    eager, ort = result.schedule.devices
    # Both are of this device: the first one named by the budget is measured.
    assert [(row.name, row.runtime, row.status) for row in (eager, ort)] == [
        ("eager", "torch", "measured"),
        ("ort", "onnxruntime", "predicted"),
    ]
    assert result.schedule.runtime == "torch"
    assert ort.predicted_s <= 0.7 * ort.base_s
    assert eager.measured_s is not None
    assert eager.measured_s <= 0.9 * eager.base_s
