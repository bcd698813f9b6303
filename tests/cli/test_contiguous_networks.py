"""A network whose forward needs contiguous maps is searched as any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_net import split_loaders
from tiny_program import TINY, Said, expect_done, run_program
from viewing_network import viewing

import autoprune

Program = Callable[..., Said]
MODEL = ("--model", f"{Path(__file__).with_name('viewing_network.py')}:viewing")
SPACE = ("--divisor", "8", "--min-keep", "0.25")
NETWORK = (*MODEL, "--data", f"{TINY}:split_loaders", *SPACE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the network's table is, measured once."""
    folder = tmp_path_factory.mktemp("contiguous")
    words = ("latency", "measure", *MODEL, "--input", "1x8x8", *SPACE, "--out", "table.json")
    expect_done(run_program(*words, "--db", "tables.db", folder=folder))
    return folder


def search(folder: Path, db: str, *more: str) -> Any:
    """By the solver, whose probes need the network too."""
    quick = ("--trials", "4", "--steps", "2", "--batch-size", "16", "--race-steps", "3")
    job = ("--budget", "macs=60%", "--criterion", "taylor", "--finetune-epochs", "1")
    words = (*NETWORK, "--table", "table.json", *quick, *job, "--db", db, "--json", *more)
    return expect_done(run_program("search", *words, folder=folder)).json


@pytest.fixture(scope="module")
def searched(folder: Path) -> Any:
    return search(folder, "jobs.db", "--workers", "2", "--out", "bundle")


def test_check_lets_it_pass(program: Program) -> None:
    assert expect_done(program("check", *NETWORK, "--json")).json["training_step"]["score"] > 0.0


def test_it_is_searched_by_two_workers_and_its_bundle_is_verified(
    searched: Any, folder: Path
) -> None:
    assert searched["state"] == "finished"
    assert searched["trials"] == 4
    trials = expect_done(
        run_program("trials", searched["job"], "--db", "jobs.db", "--json", folder=folder)
    ).json
    assert all(trial["error"] is None for trial in trials)
    expect_done(run_program("verify", "bundle", "--no-write", folder=folder))


def test_one_process_scores_it_to_the_same_bits(searched: Any, folder: Path) -> None:
    alone = search(folder, "alone.db", "--workers", "1")
    assert alone["digest"] == searched["digest"]


def test_it_is_searched_and_loaded_from_python(folder: Path, tmp_path: Path) -> None:
    result = autoprune.search(
        viewing(),
        torch.zeros(1, 1, 8, 8),
        **split_loaders(),
        budget="macs=60%",
        db=str(tmp_path / "jobs.db"),
        table=str(folder / "table.json"),
        divisor=8,
        min_keep=0.25,
        trials=2,
        race_steps=1,
        finetune_epochs=1,
        fidelity={"steps": 1, "batch_size": 16},
        searcher="random",
    )
    assert result.summary["state"] == "finished"
    loaded = autoprune.load(result.export(tmp_path / "bundle"), viewing())
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(loaded(images), result.model(images))
