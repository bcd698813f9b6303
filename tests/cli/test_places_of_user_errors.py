"""What the user's own code raises is told with its file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_program import SPACE, TINY, Said

Program = Callable[..., Said]
CODE = f"""\
import sys
sys.path.insert(0, {str(TINY.parent)!r})
from tiny_net import TinyNet, network, split_loaders
import autoprune
import torch


def inner(what):
    raise ValueError(what)  # line 9


def failing_data():
    inner("no images")


def failing_items():
    yield from split_loaders()["train"]
    inner("torn image")


def data():
    return {{"train": failing_items()}}


def failing_network():
    return inner("no layers")


class Raises(TinyNet):
    def forward(self, images):
        images = torch.relu(images)
        inner("no forward")


def raising_network():
    return Raises(10)


def mismatched():
    return torch.nn.Sequential(network(10), torch.nn.Linear(3, 10))


def loss(outputs, targets):
    return inner("no boxes")


def in_torch(outputs, targets):
    return torch.nn.functional.cross_entropy(outputs[:1], targets)  # line 48


task = autoprune.Task(loss=loss)
torch_task = autoprune.Task(loss=in_torch)


def metric(network, batches):
    return inner("no metric")
"""
GIVEN = {
    "a model's factory": (("--model", "mine.py:failing_network"), "ValueError: no layers"),
    "a model's forward": (("--model", "mine.py:raising_network"), "ValueError: no forward"),
    "a data factory": (("--data", "mine.py:failing_data"), "ValueError: no images"),
    "a loader": (("--data", "mine.py:data"), "ValueError: torn image"),
    "a task's loss": (("--task", "mine.py:task"), "ValueError: no boxes"),
    "a metric": (("--metric", "mine.py:metric", "--maximize"), "ValueError: no metric"),
}


@pytest.fixture
def said(program: Program, tmp_path: Path) -> Callable[..., str]:
    """What a refused search says of ``mine.py``."""
    (tmp_path / "mine.py").write_text(CODE)
    network = ("--model", f"{TINY}:network", "--data", f"{TINY}:split_loaders", *SPACE)

    def run(*words: str) -> str:
        ended = program("search", *network, *words)
        assert ended.code == 2
        return ended.err

    return run


@pytest.mark.parametrize("kind", GIVEN)
def test_the_innermost_line_of_the_users_code_is_named(
    said: Callable[..., str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, what = GIVEN[kind]
    told = said(*words)
    assert f"{what}, at mine.py:9" in told
    assert "Traceback" not in told
    monkeypatch.setenv("AUTOPRUNE_DEBUG", "1")
    traced = said(*words)
    assert "Traceback (most recent call last)" in traced
    assert "raise ValueError(what)  # line 9" in traced
    assert f"{what}, at mine.py:9" in traced


def test_a_line_that_torch_stops_at_is_the_callers(said: Callable[..., str]) -> None:
    assert ", at mine.py:48" in said("--task", "mine.py:torch_task")


def test_a_call_of_torchs_own_modules_names_the_layer_alone(said: Callable[..., str]) -> None:
    """No line of the user's code is among those that ran."""
    told = said("--model", "mine.py:mismatched")
    assert "layer '1' of Sequential raised RuntimeError" in told
    assert ", at " not in told
