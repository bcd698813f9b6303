"""Heads that run in training mode alone: named in the refusal, and its remedies work."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_program import Said, expect_done

Program = Callable[..., Said]

FILE = """
import autoprune
import torch
from torch import nn
from torch.nn import functional


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(12, 12, 3), nn.ReLU())
        self.out = nn.Linear(12, 2)
        self.heads = nn.ModuleList([nn.Linear(12, 2)])

    def forward(self, images):
        shallow = self.first(images)
        out = self.out(self.second(shallow).mean((2, 3)))
        if self.training:
            return out, self.heads[0](shallow.mean((2, 3)))
        return out


class WithoutHeads(Network):
    METHOD


class Both(Network):
    def forward(self, images):
        shallow = self.first(images)
        out = self.out(self.second(shallow).mean((2, 3)))
        return {"scores": out, "head": self.heads[0](shallow.mean((2, 3)))}


class First(Both):
    FORWARD


def network(num_classes=2):
    return Network()


def without_heads(num_classes=2):
    return WithoutHeads()


def both(num_classes=2):
    return Both()


def first(num_classes=2):
    return First()


def loss(outputs, labels):
    out, *heads = outputs if isinstance(outputs, tuple) else (outputs,)
    weighted = sum(0.3 * functional.cross_entropy(head, labels) for head in heads)
    return functional.cross_entropy(out, labels) + weighted


task = autoprune.Task(loss=loss)


def data():
    images = torch.rand(96, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(96) % 2
    return {"train": [(images[:64], labels[:64])], "val": [(images[64:], labels[64:])]}
"""


@pytest.fixture
def named(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    def write(network: str, **methods: str) -> tuple[str, ...]:
        text = FILE
        for placeholder in ("METHOD", "FORWARD"):
            text = text.replace(placeholder, methods.get(placeholder, "pass"))
        (tmp_path / "heads.py").write_text(text)
        return ("--model", f"heads.py:{network}", "--data", "heads.py:data")

    return write


Named = Callable[..., tuple[str, ...]]


@pytest.mark.parametrize("command", ["check", "search"])
def test_heads_are_named_and_can_be_left_out(command: str, named: Named, program: Program) -> None:
    told = program(command, *named("network"))
    assert told.code == 2
    assert "in training mode for 2 images" in told.err
    assert "got tuple of 2. In training mode alone runs 'heads.0'" in told.err
    said = re.search(r"(def train\(self, mode=True\)): (.*return self)", told.err)
    assert said
    method = f"{said[1]}:\n        " + said[2].replace("; ", "\n        ")
    found = expect_done(program("check", *named("without_heads", METHOD=method), "--json")).json
    assert [group["name"] for group in found["groups"]] == ["first.0", "second.0"]


def test_heads_can_be_kept_by_a_task(named: Named, program: Program) -> None:
    task = (*named("network"), "--task", "heads.py:task")
    told = program("check", *task)
    assert "layer 'heads.0'" in told.err
    said = re.search(r"leave what it reads whole with (--ignore \S+)", told.err)
    assert said
    assert said[1] == "--ignore first.0"
    found = expect_done(program("check", *task, *said[1].split(), "--json")).json
    assert [group["name"] for group in found["groups"]] == ["second.0"]


def test_of_several_outputs_one_can_be_returned(named: Named, program: Program) -> None:
    told = program("check", *named("both"))
    said = re.search(r"(def forward\(self, x\): return .*\])", told.err)
    assert said
    assert said[1].endswith("['scores']")
    expect_done(program("check", *named("first", FORWARD=said[1]), "--json"))
