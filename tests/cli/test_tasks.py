"""Networks that are no classifiers: searched, resumed and exported, or refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_tasks
import torch
from tiny_net import network
from tiny_program import QUICK, SPACE, TINY, Said, expect_done

import autoprune
from autoprune.errors import InputError

Program = Callable[..., Said]
Refused = Callable[..., str]
TASKS = Path(__file__).with_name("tiny_tasks.py")
NETWORK = ("--model", f"{TINY}:network", "--data", f"{TASKS}:labels_at_once", *SPACE)
TASK = ("--task", f"{TASKS}:task")


@pytest.fixture
def search(table: Path, program: Program) -> Callable[..., Said]:
    given = ("search", *NETWORK, "--table", str(table), *QUICK, "--budget", "65%", "--json")
    return lambda *more: expect_done(program(*given, "--db", "jobs.db", *more))


def test_a_search_tells_the_tasks_metric_and_no_accuracy(
    search: Callable[..., Said], program: Program, tmp_path: Path
) -> None:
    shown = search(*TASK, "--out", "bundle").json
    assert shown["metric"] == {"name": "loss", "direction": "minimize"}
    assert shown["base"]["accuracy"] is None
    assert shown["base"]["figure"]["name"] == "all_right"
    told = shown["final"]["figure"]
    assert 0.0 <= told["test"]["after"] <= 1.0
    assert shown["final"]["accuracy"]["test"]["after"] is None
    schedule = json.loads((tmp_path / "bundle/schedule.json").read_text())
    assert schedule["figure"]["validation"] == told["validation"]
    assert schedule["figure"]["task"] == TASK[1]
    assert schedule["accuracy"] == {"validation": None, "test": None}
    assert "all_right" in (tmp_path / "bundle/report.html").read_text()
    assert expect_done(program("verify", "bundle", "--json")).json["passes"]
    assert "test all_right" in expect_done(program("show", shown["job"], "--db", "jobs.db")).out
    trials = expect_done(program("trials", shown["job"], "--db", "jobs.db", "--json")).json
    assert {row["accuracy"] for row in trials} == {None}
    assert all(0.0 <= row["figure"] <= 1.0 for row in trials)
    told = shown["final"]["figure"]
    assert shown["best"]["figure"] == told["validation"]["after_search"]
    table = expect_done(program("trials", shown["job"], "--db", "jobs.db")).out
    assert "all_right" in table
    assert f"{trials[0]['figure']:.4g}" in table
    front = expect_done(program("show", shown["job"], "--db", "jobs.db", "--front")).out
    heads = next(line for line in front.splitlines() if "of unpruned" in line)
    assert "all_right" in heads
    assert "accuracy" not in heads
    words = ("show", shown["job"], "--db", "jobs.db", "--front", "--json")
    for row in expect_done(program(*words)).json["front"]:
        assert row["figure"] == trials[row["trial"]]["figure"]
        assert f"{row['figure']:.4g}" in front
    compared = expect_done(program("compare", shown["job"], "--db", "jobs.db", "--json")).json[0]
    assert compared["figure"]["after_finetune"] == told["test"]["after"]
    assert compared["accuracy_after_finetune"] is None
    value = f"{told['test']['after']:.4g}"
    assert value in expect_done(program("compare", shown["job"], "--db", "jobs.db")).out


def test_processes_score_what_one_process_scores(search: Callable[..., Said]) -> None:
    alone = search(*TASK, "--db", "one.db").json
    assert search(*TASK, "--db", "two.db", "--workers", "2").json["digest"] == alone["digest"]


def test_trials_are_ranked_by_the_metric_that_is_named(search: Callable[..., Said]) -> None:
    shown = search(*TASK, "--metric", "all_right").json
    assert shown["metric"] == {"name": "all_right", "direction": "maximize"}
    assert shown["base"]["score"] == shown["base"]["figure"]["value"]


def test_an_edited_task_is_another_job(
    search: Callable[..., Said], program: Program, tmp_path: Path
) -> None:
    edited = tmp_path / "my_task.py"
    edited.write_text(TASKS.read_text())
    job = search("--task", f"{edited}:task").json["job"]
    assert program("export", job, "--db", "jobs.db", "--out", "again").code == 0
    edited.write_text(TASKS.read_text().replace("> 0.5", "> 0.6"))
    said = program("export", job, "--db", "jobs.db", "--out", "other")
    assert said.code == 2
    assert "task changed since it was submitted" in said.err
    with_task = search("--task", f"{edited}:task").json
    assert with_task["digest"] != search("--task", f"{TASKS}:task").json["digest"]


def test_a_job_file_names_its_task(program: Program, tmp_path: Path) -> None:
    lines = [f"model: {TINY}:network", f"data: {TASKS}:labels_at_once", f"task: {TASK[1]}"]
    (tmp_path / "job.yaml").write_text("\n".join([*lines, "divisor: 16"]))
    found = expect_done(program("check", "job.yaml", "--json")).json
    assert found["data"]["task"] == TASK[1]
    assert found["data"]["targets"] == "torch.float32 of shape [300, 10]"
    assert found["training_step"]["metric"] == "loss"
    said = expect_done(program("check", "job.yaml"))
    assert "all_right" in said.err


ODD = {
    "not_a_task": ("tiny_tasks.py:not_a_task", "must be an autoprune.Task, got function"),
    "missing": ("has no 'missing'",),
    "raising": ("loss of task", "tiny_tasks.py:raising", "ValueError: no boxes"),
    "for_each_image": ("loss of task", "for_each_image", "[2, 10]", "take a mean"),
    "not_finite": ("loss of task", "not_finite", "is nan"),
    "detached": ("gradients stop", "loss of task", "detached"),
    "a_float": ("loss of task", "a_float", "as a tensor, got float"),
    "metric_of_many": ("metric of task", "metric_of_many", "one number", "[10]"),
    "metric_not_finite": ("metric_not_finite", "odd nan", "finite numbers"),
}


@pytest.mark.parametrize("name", ODD)
def test_check_and_search_say_what_is_wrong_with_a_task(
    name: str, program: Program, refused: Refused, table: Path
) -> None:
    words = (*NETWORK, "--task", f"{TASKS}:{name}")
    refused(2, ODD[name], "search", *words, "--table", str(table), *QUICK)
    said = program("check", *words, "--json")
    assert said.code == 2
    for word in ODD[name]:
        assert word in said.json["error"]


def test_other_misuse_is_refused_too(refused: Refused, table: Path) -> None:
    given = ("search", *NETWORK, "--table", str(table), *QUICK)
    refused(2, ("expected 50 class numbers", "argmax(1)"), *given)
    refused(
        2, ("metric 'accuracy' is of classes", "all_right"), *given, *TASK, "--metric", "accuracy"
    )
    refused(
        2, ("all_right", "maximize; leave"), *given, *TASK, "--metric", "all_right", "--minimize"
    )
    refused(2, ("unknown task 'pose'", "package.module:NAME"), *given, "--task", "pose")
    few = ("--data", f"{TASKS}:too_few_targets")
    refused(2, ("val, item 1", "expected 50 targets", "[49, 10]"), *given, *TASK, *few)
    built_in = ("--model", "autoprune:digits_cnn")
    refused(
        2, ("digits_cnn", "the data of this task has none", "factory"), *given, *TASK, *built_in
    )


def test_a_task_in_memory_is_searched_from_python(table: Path, tmp_path: Path) -> None:
    options = {"divisor": 16, "min_keep": 0.25, "trials": 2, "race_steps": 1, "finetune_epochs": 0}
    given = {
        **options,
        "fidelity": {"steps": 1, "batch_size": 16},
        "searcher": "random",
        "budget": "65%",
        "table": str(table),
        "db": str(tmp_path / "jobs.db"),
    }
    splits = tiny_tasks.labels_at_once()
    result = autoprune.search(
        network(), torch.zeros(1, 1, 8, 8), **splits, task=tiny_tasks.task, **given
    )
    assert result.summary["final"]["figure"]["name"] == "all_right"
    assert result.schedule.figure.task is None
    resume = {"resume": result.job, **given}
    again = autoprune.search(
        network(), torch.zeros(1, 1, 8, 8), **splits, task=tiny_tasks.task, **resume
    )
    assert again.summary["digest"] == result.summary["digest"]
    with pytest.raises(InputError, match="task changed"):
        autoprune.search(
            network(), torch.zeros(1, 1, 8, 8), **splits, task=tiny_tasks.metric_of_many, **resume
        )
