"""Scores that are hardly better than guesses are spoken of while there is time to stop."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cheap_job import FIDELITY

from autoprune.cli.progress import shown_progress
from autoprune.data.registry import load_data
from autoprune.evaluation.contract import Metric
from autoprune.jobs.guessing import GuessWatch, guessing_score


class Context:
    """What a watch looks at of a job's context."""

    fidelity = FIDELITY

    def __init__(self, guessing: float | None, unpruned: float) -> None:
        self.guessing = guessing
        self.job = SimpleNamespace(base={"score": unpruned})
        self.said: list[str] = []

    def progress(self, kind: str, payload: dict[str, Any]) -> None:
        assert kind == "warning"
        self.said.append(payload["text"])


def warnings(scores: list[float], guessing: float | None, unpruned: float = 0.1) -> list[str]:
    context = Context(guessing, unpruned)
    watch = GuessWatch(context)  # type: ignore[arg-type]
    for score in scores:
        watch.see(score)
    return context.said


def test_four_trials_that_guess_are_spoken_of_once() -> None:
    said = warnings([2.28, 2.30, 2.10, 2.29, 2.30, 2.30], math.log(10))
    assert len(said) == 1
    assert "4 trials score 2.285 (median)" in said[0]
    assert "2.303" in said[0]
    assert f"--steps {4 * FIDELITY.steps}" in said[0]


def test_where_the_unpruned_network_guesses_too_its_weights_are_spoken_of() -> None:
    (said,) = warnings([2.30] * 4, math.log(10), unpruned=2.296)
    assert "the unpruned network with 2.296" in said
    assert "--weights" in said
    assert "--steps" not in said


@pytest.mark.parametrize(
    ("scores", "guessing"),
    [([2.30, 2.30, 2.30], 2.303), ([1.9, 2.1, 1.8, 2.3], 2.303), ([2.3] * 4, None)],
    ids=["too few", "good enough", "nothing to compare with"],
)
def test_others_are_not(scores: list[float], guessing: float | None) -> None:
    assert warnings(scores, guessing) == []


def test_it_is_shown_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(8) as progress:
        progress("warning", {"text": warnings([2.3] * 4, 2.303)[0]})
    assert "rank by luck" in capsys.readouterr().err


def test_a_guess_scores_the_entropy_of_the_labels_by_the_calibrated_loss_alone() -> None:
    data = load_data("digits")
    shares = torch.bincount(data.val.labels).double() / len(data.val)
    entropy = float(torch.distributions.Categorical(shares).entropy())
    assert guessing_score(data, Metric("calibrated-loss")) == pytest.approx(entropy)
    assert guessing_score(data, Metric("accuracy", "maximize")) is None
    two = replace(data.val, targets=(torch.arange(len(data.val)) % 2) * 9)
    guess = guessing_score(replace(data, val=two), Metric("calibrated-loss"))
    assert guess == pytest.approx(math.log(2))
