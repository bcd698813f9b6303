"""A classifier with one logit is told the words of its task, and they work as they stand."""

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


class Network(nn.Module):
    def __init__(self, squeezed=False):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(12, 12, 3), nn.ReLU())
        self.logit = nn.Linear(12, 1)
        self.squeezed = squeezed

    def forward(self, images):
        logits = self.logit(self.second(self.first(images)).mean((2, 3)))
        return logits.squeeze(1) if self.squeezed else logits


def network():
    torch.manual_seed(0)
    return Network()


def squeezed():
    torch.manual_seed(0)
    return Network(squeezed=True)


def data(shaped=lambda labels: labels):
    images = torch.rand(96, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = shaped(torch.arange(96) % 2)
    return {"train": [(images[:64], labels[:64])], "val": [(images[64:], labels[64:])]}


def column():
    return data(lambda labels: labels[:, None])


def floats():
    return data(lambda labels: labels[:, None].float())


def three():
    return data(lambda labels: torch.arange(96) % 3)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "logit.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("network", ["network", "squeezed"])
@pytest.mark.parametrize("data", ["data", "column", "floats"])
def test_the_words_of_the_message_are_a_task_that_can_be_searched(
    network: str, data: str, file: Path, program: Program
) -> None:
    named = ("--model", f"{file}:{network}", "--data", f"{file}:{data}")
    told = [program(command, *named).err for command in ("check", "search")]
    written = [re.search(r"write (task = .*) into the model's file", said) for said in told]
    assert written[0]
    assert written[1]
    assert written[0][1] == written[1][1]
    assert "--task FILE.py:task" in told[0]
    file.write_text(f"{FILE}\n{written[0][1]}\n")
    found = expect_done(program("check", *named, "--task", f"{file}:task", "--json")).json
    assert [group["name"] for group in found["groups"]] == ["first.0", "second.0"]


def test_one_output_for_three_classes_is_told_otherwise(file: Path, program: Program) -> None:
    said = program("check", "--model", f"{file}:network", "--data", f"{file}:three").err
    assert "One output is no classifier of so many classes: take num_classes" in said
    assert "one logit" not in said
