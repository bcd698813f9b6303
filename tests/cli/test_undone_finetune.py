"""A final finetune that makes the network worse is taken back, and every reader is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_program import NETWORK, QUICK, SPACE, TINY, Said, expect_done

Program = Callable[..., Said]
TASKS = Path(__file__).with_name("tiny_tasks.py")
TASK_NETWORK = ("--model", f"{TINY}:network", "--data", f"{TASKS}:labels_at_once", *SPACE)
TRAINED = ("--steps", "20", "--race-steps", "60", "--learning-rate", "0.2")
"""Trials learn the patterns; a final finetune at 30 forgets them."""


@pytest.fixture
def search(table: Path, program: Program) -> Callable[..., Said]:
    given = ("--table", str(table), *QUICK, "--budget", "65%", "--db", "jobs.db", "--json")
    return lambda *words: expect_done(program("search", *given, *TRAINED, "--out", "out", *words))


def test_the_network_from_before_is_exported_with_a_warning_everywhere(
    search: Callable[..., Said], program: Program, tmp_path: Path
) -> None:
    said = search(*NETWORK, "--finetune-learning-rate", "30")
    final = said.json["final"]
    undone, told = final["undone_finetune"], final["accuracy"]
    assert (undone["figure"], undone["epochs"], undone["learning_rate"]) == ("accuracy", 1, 30)
    assert undone["after"] < undone["before"] == told["validation"]["after"]
    for split in ("validation", "test"):
        assert told[split]["after"] == told[split]["after_search"]
    assert "A lower --finetune-learning-rate" in said.err
    shown = expect_done(program("show", said.json["job"], "--db", "jobs.db")).out
    assert "warning: the final finetune (epochs: 1, learning rate: 30) made the network" in shown
    schedule = json.loads((tmp_path / "out/schedule.json").read_text())
    assert schedule["undone_finetune"] == undone
    assert "the final finetune (epochs: 1" in (tmp_path / "out/report.html").read_text()
    assert expect_done(program("verify", "out", "--json")).json["passes"]


def test_people_are_warned_once(search: Callable[..., Said], program: Program) -> None:
    job = search(*NETWORK, "--finetune-learning-rate", "30").json["job"]
    again = ("--db", "jobs.db", "--out", "out", "--finetune-learning-rate", "31")
    said = expect_done(program("resume", job, *again))
    assert "learning rate: 31) made the network worse" in said.out
    assert "made the network worse" not in said.err


def test_a_finetune_that_helps_is_kept_without_a_word(
    search: Callable[..., Said], tmp_path: Path
) -> None:
    said = search(*NETWORK, "--finetune-learning-rate", "0.1", "--steps", "4", "--race-steps", "5")
    final = said.json["final"]
    assert final["undone_finetune"] is None
    accuracy = final["accuracy"]["validation"]
    assert accuracy["after"] > accuracy["after_search"]
    assert "made the network worse" not in said.err
    assert "undone_finetune" not in json.loads((tmp_path / "out/schedule.json").read_text())


@pytest.mark.parametrize(("task", "figure"), [("task", "all_right"), ("loss_alone", "loss")])
def test_a_task_is_judged_by_its_own_figure(
    search: Callable[..., Said], task: str, figure: str
) -> None:
    """Its metric, which is to grow here, or its loss, which is to shrink."""
    words = ("--task", f"{TASKS}:{task}", *TASK_NETWORK, "--finetune-learning-rate", "30")
    final = search(*words).json["final"]
    undone, told = final["undone_finetune"], final["figure"]["validation"]
    assert undone["figure"] == figure
    assert told["after"] == told["after_search"] == undone["before"]
    worse = undone["after"] < undone["before"]
    assert worse == (figure == "all_right")
