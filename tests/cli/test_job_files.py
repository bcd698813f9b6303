"""A job file and the command line say the same things."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tiny_program import TINY, FinishedJob, Said, expect_done

from autoprune.spec import load_values, make_spec

Program = Callable[..., Said]


@pytest.fixture
def job_file(tmp_path: Path, table: Path) -> Path:
    """What the finished job's options say, as YAML."""
    fields = {
        "model": f"{TINY}:network",
        "data": f"{TINY}:split_loaders",
        "divisor": 16,
        "min_keep": 0.25,
        "table": str(table),
        "budget": "65%",
        "searcher": "legr",
        "trials": 4,
        "fidelity": {"steps": 2, "batch_size": 16},
        "race_steps": 3,
        "finetune_epochs": 1,
        "workers": 1,
    }
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


def test_a_job_file_gives_the_digest_of_the_same_options(
    job_file: Path, program: Program, finished: FinishedJob
) -> None:
    shown = expect_done(program("search", job_file, "--json")).json
    assert shown["digest"] == finished.shown["digest"]
    # Which finalist is exported depends on what they measure, which is in no digest.
    bundle = job_file.parent / "autoprune-out" / shown["job"]
    assert (bundle / "schedule.json").exists()


def test_options_override_the_file(job_file: Path, program: Program, finished: FinishedJob) -> None:
    words = ("--trials", "1", "--searcher", "uniform", "--steps", "1", "--json")
    shown = expect_done(program("search", job_file, *words)).json
    assert (shown["searcher"], shown["trials"]) == ("uniform", 1)
    assert shown["digest"] != finished.shown["digest"]
    (row,) = program("trials", shown["job"], "--json").json
    assert row["state"] == "told"


def test_an_option_inside_a_part_leaves_the_rest_of_the_part(job_file: Path) -> None:
    spec = make_spec(load_values(job_file, {"fidelity": {"steps": 7}}))
    assert (spec.fidelity.steps, spec.fidelity.batch_size) == (7, 16)


def test_one_budget_or_several_may_be_given() -> None:
    assert make_spec({"budget": "8ms"}).budget == ("8ms",)
    kinds = [bound.kind for bound in make_spec({"budget": ["50%", "macs=20M"]}).bounds]
    assert kinds == ["latency", "macs"]


def test_better_is_known_of_loss_and_accuracy() -> None:
    assert make_spec({}).metric.best == "minimize"
    assert make_spec({"metric": {"name": "accuracy"}}).metric.best == "maximize"


@pytest.mark.parametrize("db", ["jobs.db", "sqlite:///jobs.db"])
def test_a_database_file_is_found_from_any_folder(db: str) -> None:
    assert make_spec({"db": db}).db == str(Path("jobs.db").absolute())


def test_the_schedule_tells_the_command_that_repeats_the_search(
    finished: FinishedJob, tmp_path: Path, program: Program
) -> None:
    schedule = json.loads((finished.bundle / "schedule.json").read_text())
    program_name, *words = shlex.split(schedule["provenance"]["command"])
    assert program_name == "autoprune"
    again = finished.run(*words, "--json", "--workers", "1", "--out", tmp_path / "again")
    assert expect_done(again).json["digest"] == finished.shown["digest"]
