"""Every command, on a job that has ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tiny_program import FinishedJob, Said, contents_of, expect_done, run_program

from autoprune.cli.output import print_job
from autoprune.export.schedule import Ranking

SHOW_KEYS = (
    *("job", "state", "searcher", "seed", "trials", "digest", "budget", "metric", "base", "best"),
)
BASE_KEYS = ("score", "accuracy", "measured_latency_s", "predicted_latency_s", "macs", "params")
TRIAL_KEYS = (
    *("index", "purpose", "state", "widths", "score", "accuracy", "predicted_latency_s"),
    *("seconds", "error"),
)
COMPARE_KEYS = ("job", "searcher", "accuracy_base", "accuracy_after_finetune", "measured_ratio")


def test_search_ends_with_the_object_that_show_prints(finished: FinishedJob) -> None:
    assert finished.shown == finished.run("show", finished.job, "--json").json


def test_words_and_progress_go_to_stderr(finished: FinishedJob) -> None:
    json.loads(finished.said.out)
    assert "trials" in finished.said.err
    assert f"job {finished.job}" in finished.said.err


def test_the_shown_object_has_the_keys_others_rely_on(finished: FinishedJob) -> None:
    shown = finished.shown
    assert set(shown) >= set(SHOW_KEYS)
    assert set(shown["metric"]) == {"name", "direction"}
    assert set(shown["base"]) >= set(BASE_KEYS)
    assert set(shown["best"]) >= {*BASE_KEYS, "trial", "layers"}
    for layer in shown["best"]["layers"].values():
        assert set(layer) >= {"type", "in_channels", "out_channels", "keep_ratio"}
        before, after = layer["out_channels"]
        assert layer["keep_ratio"] == pytest.approx(after / before)
        assert len(layer["in_channels"]) == 2
    assert (shown["state"], shown["searcher"], shown["trials"]) == ("finished", "legr", 4)


def test_the_chosen_network_measured_under_the_budget(finished: FinishedJob) -> None:
    shown = finished.shown
    limit = shown["budget"]["latency_s"]
    assert limit == pytest.approx(0.65 * shown["base"]["measured_latency_s"])
    assert shown["best"]["measured_latency_s"] <= limit


def test_show_prints_before_and_after_and_every_layer(finished: FinishedJob) -> None:
    out = finished.run("show", finished.job).out
    for word in (
        "measured latency",
        "test accuracy",
        "keep ratio",
        *finished.shown["best"]["layers"],
    ):
        assert word in out


def test_the_report_says_how_well_the_cheap_scores_rank(finished: FinishedJob) -> None:
    says = Ranking(**finished.shown["ranking"]).says
    assert says in (finished.bundle / "report.html").read_text()


@pytest.mark.parametrize(
    ("ranking", "line"),
    [
        ({"schedules": 8, "spearman": 0.831}, "rank correlation 0.83 over 8 schedules"),
        ({"schedules": 3, "spearman": None}, "rank correlation not known from 3 schedules"),
        ({"schedules": 1, "spearman": None}, None),
    ],
)
def test_show_says_how_well_the_cheap_scores_rank(
    finished: FinishedJob, capsys: pytest.CaptureFixture[str], ranking: Any, line: str | None
) -> None:
    print_job({**finished.shown, "ranking": ranking})
    lines = [each for each in capsys.readouterr().out.splitlines() if "cheap score" in each]
    assert lines == ([] if line is None else [f"cheap score against longer one: {line}"])


def test_why_tells_what_each_group_saves(finished: FinishedJob) -> None:
    (why,) = finished.run("show", finished.job, "--why", "--json").json["why"]
    shown = finished.shown
    predicted = shown["base"]["predicted_latency_s"] - shown["best"]["predicted_latency_s"]
    assert why["table"] is None
    assert why["saved_s"] == pytest.approx(predicted, rel=1e-9, abs=0)
    assert sum(group["saved_s"] for group in why["groups"]) == pytest.approx(
        predicted, rel=1e-9, abs=0
    )
    assert sum(group["share"] for group in why["groups"]) == pytest.approx(1.0)
    for group in why["groups"]:
        (layer,) = group["layers"]
        width = [group["units"], group["width"]]
        assert shown["best"]["layers"][layer]["out_channels"] == width
    said = finished.run("show", finished.job, "--why")
    assert "time each group saves" in said.out
    assert "first.0" in said.out.partition("time each group saves")[2]


def test_why_of_a_job_without_a_chosen_schedule_says_so(
    tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoprune.composition.run", lambda *_, **__: None)
    monkeypatch.setattr("autoprune.cli.search.holds_bundle_of", lambda *_: True)
    started = run_program("search", *tiny, "--db", "jobs.db", "--json", folder=tmp_path)
    words = ("show", expect_done(started).json["job"], "--why", "--db", "jobs.db")
    assert "no schedule" in run_program(*words, folder=tmp_path).err
    assert run_program(*words, "--json", folder=tmp_path).json["why"] is None


def test_a_job_answers_to_the_beginning_of_its_id(finished: FinishedJob) -> None:
    assert finished.run("show", finished.job[:3], "--json").json["job"] == finished.job


def test_jobs_lists_it(finished: FinishedJob) -> None:
    rows = {row["job"]: row for row in finished.run("jobs", "--json").json}
    assert set(rows[finished.job]) >= {"job", "state", "searcher", "created"}
    assert rows[finished.job]["state"] == "finished"
    assert finished.job in finished.run("jobs").out


def test_trials_lists_what_was_tried_in_order(finished: FinishedJob) -> None:
    rows = finished.run("trials", finished.job, "--json").json
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    for row in rows:
        assert set(row) >= set(TRIAL_KEYS)
        assert set(row["widths"]) == {"first.0", "second.0", "third.0"}
        assert (row["state"], row["purpose"], row["error"]) == ("told", "candidate", None)
    assert "candidate" in finished.run("trials", finished.job).out


def test_compare_puts_jobs_side_by_side(finished: FinishedJob) -> None:
    rows = finished.run("compare", finished.job, finished.job, "--json").json
    assert rows[0] == rows[1]
    assert set(rows[0]) >= set(COMPARE_KEYS)
    assert "after finetune" in finished.run("compare", finished.job).out


def test_resuming_a_finished_job_adds_no_trial(finished: FinishedJob) -> None:
    before = finished.run("trials", finished.job, "--json").json
    bundle = (finished.bundle / "schedule.json").read_bytes()
    resumed = finished.run("resume", finished.job, "--json")
    assert resumed.json == finished.shown
    assert finished.run("trials", finished.job, "--json").json == before
    assert (finished.bundle / "schedule.json").read_bytes() == bundle


def test_export_writes_the_same_network_to_another_folder(
    finished: FinishedJob, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    said = finished.run("export", finished.job, "--out", out, "--json")
    assert {name: Path(path).exists() for name, path in said.json.items()} == dict.fromkeys(
        ("schedule", "weights", "ONNX", "report"), True
    )
    weights = "model.safetensors"
    assert (out / weights).read_bytes() == (finished.bundle / weights).read_bytes()


def test_export_replaces_a_bundle_only_when_told_to(finished: FinishedJob, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    shutil.copytree(finished.bundle, out)
    refused = finished.run("export", finished.job, "--out", out)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert finished.run("export", finished.job, "--out", out, "--overwrite").code == 0


def test_the_schedule_keeps_to_its_schema(finished: FinishedJob) -> None:
    schema = Path(__file__).parents[2] / "autoprune/export/schedule.schema.json"
    schedule = json.loads((finished.bundle / "schedule.json").read_text())
    jsonschema.validate(schedule, json.loads(schema.read_text()))
    layers = finished.shown["best"]["layers"]
    assert {name: layer["keep_ratio"] for name, layer in schedule["layers"].items()} == {
        name: layer["keep_ratio"] for name, layer in layers.items()
    }


def test_verify_accepts_the_bundle(finished: FinishedJob, program: Callable[..., Said]) -> None:
    said = program("verify", finished.bundle, "--no-measure", "--json")
    assert said.code == 0
    assert all(check["ok"] is not False for check in said.json["checks"])
    assert "FAILED" not in program("verify", finished.bundle, "--no-measure").out


def test_verify_measures_again(finished: FinishedJob, program: Callable[..., Said]) -> None:
    said = program("verify", finished.bundle, "--json")
    assert any("latency" in check["name"] for check in said.json["checks"])


def test_a_bundle_that_was_altered_fails_with_code_1(
    finished: FinishedJob, program: Callable[..., Said], tmp_path: Path
) -> None:
    altered = tmp_path / "altered"
    shutil.copytree(finished.bundle, altered)
    weights = altered / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    said = program("verify", altered, "--no-measure")
    assert said.code == 1
    assert "FAILED" in said.out
    assert "model.safetensors" in said.out


def test_db_upgrade_leaves_a_current_database_as_it_is(finished: FinishedJob) -> None:
    before = contents_of(finished.db)
    said = finished.run("db", "upgrade")
    assert said.code == 0
    assert "newest revision" in said.err
    assert contents_of(finished.db) == before


def test_help_of_every_command(program: Callable[..., Said]) -> None:
    for command in ("", "search", "resume", "latency measure", "db upgrade"):
        assert "--help" in program(*command.split(), "--help").out
