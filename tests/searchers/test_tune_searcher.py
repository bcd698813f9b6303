"""What a searcher behind Ray Tune's interface is asked and told."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from tune_cases import Telling, adapted

from searchers import Outcome, RandomSearch, SearcherError, Wait, make
from searchers.ray_tune import TuneSearcher
from searchers.testing import sample_problem


def test_a_config_says_what_to_score() -> None:
    algorithm = adapted("legr")
    expected = make("legr", sample_problem(), 0).ask()
    names = [group.name for group in sample_problem().groups]
    assert algorithm.suggest("t0") == {
        "widths": dict(zip(names, expected.widths, strict=True)),
        "trial": 0,
        "start_from": None,
        "purpose": "candidate",
    }


def test_what_is_told_is_the_last_result() -> None:
    searcher = Telling()
    algorithm = TuneSearcher(searcher, metric="loss", mode="min")
    algorithm.suggest("a")
    algorithm.on_trial_result("a", {"loss": 9.0})
    assert searcher.told == {}
    algorithm.on_trial_complete("a", {"loss": np.float32(0.5), "accuracy": 0.9})
    assert searcher.told == {0: Outcome(0.5)}


def test_a_metric_to_be_maximised_is_negated_and_an_accuracy_is_told_beside_it() -> None:
    searcher = Telling()
    algorithm = TuneSearcher(searcher, metric="gain", mode="max", accuracy="top1")
    algorithm.suggest("a")
    algorithm.on_trial_complete("a", {"gain": 3.0, "top1": 0.75})
    assert searcher.told == {0: Outcome(-3.0, 0.75)}


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (None, False),
        ({}, False),
        ({"loss": None, "top1": 0.5}, False),
        ({"loss": float("nan"), "top1": 0.5}, False),
        ({"loss": float("-inf"), "top1": 0.5}, False),
        ({"loss": "low", "top1": 0.5}, False),
        ({"loss": 0.5, "top1": float("nan")}, False),
        ({"loss": 0.5}, False),
        ({"loss": 0.5, "top1": 0.5}, True),
        (None, True),
    ],
)
def test_a_trial_without_a_usable_score_is_told_as_a_failure(
    result: dict[str, object] | None, error: bool, caplog: pytest.LogCaptureFixture
) -> None:
    searcher = Telling()
    algorithm = TuneSearcher(searcher, metric="loss", mode="min", accuracy="top1")
    algorithm.suggest("a")
    with caplog.at_level(logging.WARNING):
        algorithm.on_trial_complete("a", result, error=error)
    assert searcher.told == {0: Outcome(None)}
    assert ("Trial a failed" in caplog.text) is not error


def test_a_trial_that_was_told_or_never_asked_for_is_dropped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    searcher = Telling()
    algorithm = TuneSearcher(searcher, metric="loss", mode="min")
    algorithm.suggest("a")
    algorithm.on_trial_complete("a", None, error=True)
    algorithm.on_trial_complete("a", {"loss": 0.5})
    algorithm.on_trial_complete("b", {"loss": 0.5})
    assert searcher.told == {0: Outcome(None)}
    assert caplog.text.count("dropped") == 2


def test_weights_to_start_from_are_named_by_tune_trial_and_waiting_gives_no_trial() -> None:
    """An iteration of NetAdapt is asked for, then nothing until all of it is told."""
    algorithm = adapted("netadapt")
    configs: list[dict[str, Any]] = []
    while isinstance(config := algorithm.suggest(f"t{len(configs)}"), dict):
        configs.append(config)
    assert config is None
    assert {(c["start_from"], c["purpose"]) for c in configs} == {(None, "step")}
    for number in reversed(range(len(configs))):
        algorithm.on_trial_complete(f"t{number}", {"loss": abs(number - 1.0)})
    later = algorithm.suggest("later")
    assert isinstance(later, dict)
    assert later["start_from"] == "t1"


def test_it_is_finished_with_the_searcher() -> None:
    algorithm = adapted("uniform")
    assert isinstance(algorithm.suggest("a"), dict)
    assert algorithm.suggest("b") == TuneSearcher.FINISHED


class Stuck(RandomSearch):
    """Waits for nothing."""

    def _propose(self) -> Wait:
        return Wait()


def test_a_searcher_that_waits_for_nothing_does_not_hang_the_tuner() -> None:
    algorithm = TuneSearcher(Stuck(sample_problem()), metric="loss", mode="min")
    with pytest.raises(SearcherError, match="random waits although nothing is pending"):
        algorithm.suggest("a")


def test_metric_and_mode_may_come_from_the_tuner_and_are_asked_for_otherwise() -> None:
    searcher = Telling()
    algorithm = TuneSearcher(searcher)
    with pytest.raises(SearcherError, match=r"pass it metric= and mode= .* with a param_space"):
        algorithm.suggest("a")
    algorithm.set_search_properties("gain", "max", {"scale": 2.0})
    algorithm.suggest("a")
    algorithm.on_trial_complete("a", {"gain": 1.5})
    assert searcher.told == {0: Outcome(-1.5)}
    with pytest.raises(SearcherError, match="mode must be 'min' or 'max', got 'obs'"):
        TuneSearcher(searcher, metric="loss", mode="obs")


def test_a_param_space_cannot_take_the_searchers_names() -> None:
    with pytest.raises(SearcherError, match="param_space has 'widths', which the searcher sets"):
        adapted("legr").set_search_properties("loss", "min", {"widths": 1, "scale": 2.0})
