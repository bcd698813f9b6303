"""A network in one file with its data and task, whose folder holds what they import."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tiny_program import QUICK, SPACE, TINY, expect_done, run_program

CODE = """\
import os
from pathlib import Path
from typing import NamedTuple

import autoprune
from parts_of_it import TinyNet, split_loaders
from torch import Tensor
from torch.nn import functional

with Path(__file__).with_name("executed").open("a") as log:
    print(os.getpid(), file=log)


class Out(NamedTuple):
    logits: Tensor
    more: Tensor


class Net(TinyNet):
    def forward(self, images):
        logits = super().forward(images)
        return Out(logits, logits) if self.training else logits


def network(num_classes=10):
    return Net(num_classes)


def loss(outputs, targets):
    from scale_of_it import SCALE

    logits = outputs.logits if isinstance(outputs, Out) else outputs
    return SCALE * functional.cross_entropy(logits, targets)


def hits(outputs, targets):
    return (outputs.argmax(1) == targets).float().mean()


def metric(network, batches):
    return sum(float(loss(network(images), targets)) for images, targets in batches)


task = autoprune.Task(loss=loss, metric=hits, direction="maximize")
"""
NAMES = [
    word
    for option, name in (("model", "network"), ("data", "split_loaders"), ("task", "task"))
    for word in (f"--{option}", f"sub/whole_of_it.py:{name}")
]


@pytest.fixture
def sub(tmp_path: Path) -> Path:
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "whole_of_it.py").write_text(CODE)
    (folder / "parts_of_it.py").write_text(TINY.read_text())
    (folder / "scale_of_it.py").write_text("SCALE = 2.0")
    return folder


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_process_executes_the_file_once_and_finds_its_neighbours(
    sub: Path, table: Path, workers: str
) -> None:
    metric = ("--metric", "sub/whole_of_it.py:metric", "--minimize")
    words = ("search", *NAMES, *metric, *SPACE, "--table", table, *QUICK, "--budget", "65%")
    shown = expect_done(run_program(*words, "--workers", workers, "--json", folder=sub.parent)).json
    assert shown["state"] == "finished"
    executed = Counter((sub / "executed").read_text().split())
    assert set(executed.values()) == {1}
    assert (len(executed) > 1) == (workers == "2")


def test_a_missing_neighbour_is_told_with_where_it_was_looked_for(sub: Path) -> None:
    (sub / "parts_of_it.py").unlink()
    said = run_program("check", *NAMES, folder=sub.parent)
    missing = "No module named 'parts_of_it', at sub/whole_of_it.py:6: 'parts_of_it' is not"
    assert said.code == 2
    assert missing in said.err
    assert f"folder '{sub}' nor in the current folder '{sub.parent}'" in said.err
    assert "Traceback" not in said.err
