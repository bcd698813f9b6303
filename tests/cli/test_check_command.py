"""`autoprune check`: what a search would find or stop at, and nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_program import NETWORK, Said, expect_done, run_program, snapshot

from autoprune.jobs import checking
from autoprune.jobs.checking import narrow_schedules
from autoprune.pruning.space import PruningGroup, SearchSpace

Program = Callable[..., Said]
MODELS = Path(__file__).with_name("odd_models.py")


def test_it_tells_groups_data_latency_and_a_training_step(program: Program, tmp_path: Path) -> None:
    found = expect_done(program("check", *NETWORK, "--json")).json
    assert found["ok"] is True
    assert [group["name"] for group in found["groups"]] == ["first.0", "second.0", "third.0"]
    assert found["groups"][0]["choices"][-1] == found["groups"][0]["units"] == 64
    assert [left["group"] for left in found["left_out"]] == ["classifier"]
    assert found["data"]["images"] == {"train": 300, "val": 100, "test": 100}
    assert found["data"]["input_shape"] == [1, 8, 8]
    assert 0.0 < found["floor_latency_s"] < found["base_latency_s"]
    share = 1.0 - found["floor_latency_s"] / found["base_latency_s"]
    assert found["prunable_latency_share"] == share
    assert found["training_step"]["score"] > 0.0
    assert snapshot(tmp_path) == {}


def test_the_floor_is_that_of_the_fastest_narrow_network(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than a block of channels can be slower than a whole one, and than all of them."""
    times = np.array([[3.0, 5.0, 2.0, 4.0]])
    monkeypatch.setattr(
        checking, "interleaved_times", lambda runners, **_more: times[: len(runners)]
    )
    found = expect_done(program("check", *NETWORK, "--json")).json
    assert (found["base_latency_s"], found["floor_latency_s"]) == (3.0, 2.0)
    times[:] = [3.0, 5.0, 3.5, 4.0]
    found = expect_done(program("check", *NETWORK, "--json")).json
    assert found["prunable_latency_share"] == 0.0


def test_narrow_networks_are_of_whole_blocks_where_there_are_some() -> None:
    groups = (
        PruningGroup("a", 24, (1, 2, 8, 16, 24), (), ()),
        PruningGroup("b", 12, (3, 6, 12), (), ()),
    )
    assert narrow_schedules(SearchSpace(groups)) == [(1, 3), (8, 12), (16, 12)]


def test_what_is_excluded_is_shown_with_the_reason(program: Program) -> None:
    words = ("--ignore", "second.*", "--divisor", "16", "--min-keep", "0.4")
    found = expect_done(program("check", *NETWORK, *words, "--json")).json
    assert [group["choices"] for group in found["groups"]] == [[32, 48, 64]] * 2
    excluded = next(left for left in found["left_out"] if left["group"] == "second.0")
    assert "second.*" in excluded["reason"]


def test_people_read_what_is_left_whole_and_what_can_go(program: Program) -> None:
    said = expect_done(program("check", *NETWORK))
    assert "third.0" in said.out
    for words in ("left whole: classifier", "can go", "one training step", "300 for train"):
        assert words in said.err


def test_a_job_file_is_checked_as_it_would_be_searched(program: Program, tmp_path: Path) -> None:
    model, data = NETWORK[1], NETWORK[3]
    (tmp_path / "job.yaml").write_text(f"model: {model}\ndata: {data}\nignore: [third.*]\n")
    found = expect_done(program("check", "job.yaml", "--json")).json
    assert found["versions"].startswith("autoprune 0.")
    assert [group["name"] for group in found["groups"]] == ["first.0", "second.0"]


def test_a_model_that_breaks_in_training_alone_is_found_out(program: Program) -> None:
    said = program("check", *NETWORK, "--model", f"{MODELS}:breaks_in_training", "--json")
    assert said.code == 2
    found = json.loads(said.out)
    assert (found["ok"], found["groups"]) == (False, [])
    assert "cannot be trained" in found["error"]
    assert "only ever evaluated" in said.err


def test_wrong_input_is_refused_as_by_a_search(program: Program, tmp_path: Path) -> None:
    said = run_program("check", *NETWORK, "--criterion", "beauty", folder=tmp_path)
    assert said.code == 2
    assert "beauty" in said.err
    assert "l2" in said.err
