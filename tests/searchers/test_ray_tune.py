"""Searchers inside a real Ray Tuner, on a Ray of this machine."""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from tune_cases import loss_of

import searchers
from searchers import Done, make
from searchers.ray_tune import TuneSearcher
from searchers.testing import sample_problem

EXAMPLE = Path(searchers.__file__).parents[1] / "examples" / "ray_tuner.py"
TRIALS = 10


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    path = os.pathsep.join(filter(None, sys.path))
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        configure_logging=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    yield
    ray.shutdown()


def trainable(config: dict[str, Any]) -> None:
    """Approaches the schedule's loss in four reports; the fourth trial fails."""
    if config["trial"] == 3:
        raise RuntimeError("no such luck")
    for step in range(1, 5):
        tune.report({"loss": config["scale"] * loss_of(config) + 1.0 / step})


def tuner_of(algorithm: TuneSearcher, folder: Path, **run: Any) -> tune.Tuner:
    return tune.Tuner(
        trainable,
        param_space={"scale": 1.0},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            search_alg=algorithm,
            scheduler=ASHAScheduler(max_t=4, reduction_factor=2),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name="run", storage_path=str(folder), verbose=0, **run),
    )


@pytest.mark.parametrize("name", ["tpe", "legr"])
@pytest.mark.usefixtures("local_ray")
def test_a_tuner_searches_to_the_end_with_trials_stopped_early(name: str, tmp_path: Path) -> None:
    problem = sample_problem(trials=TRIALS)
    searcher = make(name, problem)
    results = tuner_of(TuneSearcher(searcher), tmp_path).fit()
    assert len(results) == TRIALS
    assert sorted(result.config["trial"] for result in results) == list(range(TRIALS))
    assert [result.config["trial"] for result in results if result.error] == [3]
    best = results.get_best_result()
    assert problem.feasible(list(best.config["widths"].values()))[0]
    assert any(result.metrics["training_iteration"] < 4 for result in results if not result.error)
    assert searcher.ask() == Done()
    state = searcher.state()
    assert state.values["common"]["pending"] == []
    losses = state.arrays["losses"] if name == "tpe" else state.arrays["members"][:, -1]
    reported = [result.metrics["loss"] for result in results if not result.error]
    assert set(losses[np.isfinite(losses)]) <= set(reported)
    assert name != "tpe" or sorted(losses[np.isfinite(losses)]) == sorted(reported)


class InterruptedTunerError(Exception):
    """The driver dies here."""


class DiesOnce(tune.Callback):
    """Ends the driver after six trials, unless it did so before."""

    def __init__(self, mark: Path) -> None:
        self._mark, self._ended = mark, 0

    def on_trial_complete(self, **info: object) -> None:
        self._ended += 1

    def on_step_end(self, **info: object) -> None:
        if self._ended == 6 and not self._mark.exists():
            self._mark.touch()
            raise InterruptedTunerError


def wait_for_the_last_save(run: Path) -> None:
    """Ray copies its state there by a thread, which outlives the driver that an error ends."""
    deadline = time.monotonic() + 60
    while True:
        try:
            states = [json.loads(p.read_text()) for p in run.glob("experiment_state-*.json")]
        except json.JSONDecodeError:
            states = []
        if states:
            return
        assert time.monotonic() < deadline, "the state is never whole"
        time.sleep(0.1)


@pytest.mark.usefixtures("local_ray")
def test_an_interrupted_tuner_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray saves and brings back the searcher's file by itself."""
    monkeypatch.setenv("TUNE_GLOBAL_CHECKPOINT_S", "0")
    problem = sample_problem(trials=TRIALS)
    callbacks = [DiesOnce(tmp_path / "died")]
    with pytest.raises(InterruptedTunerError):
        tuner_of(TuneSearcher(make("legr", problem)), tmp_path, callbacks=callbacks).fit()
    wait_for_the_last_save(tmp_path / "run")
    results = tune.Tuner.restore(str(tmp_path / "run"), trainable=trainable).fit()
    assert len(results) == TRIALS
    scored = [result.config for result in results if not result.error]
    assert {config["trial"] for config in scored} == set(range(TRIALS)) - {3}
    assert len({tuple(config["widths"].values()) for config in scored}) == TRIALS - 1


@pytest.mark.usefixtures("local_ray")
def test_the_example_program_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE))["main"](str(tmp_path))
    assert "12 trials, best loss 1." in capsys.readouterr().out
