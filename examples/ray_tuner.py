"""Use a searcher inside a Ray Tuner of your own: schedules within a budget, trained under ASHA.

    python examples/ray_tuner.py [FOLDER]

``train`` is where your network would be cut to ``config["widths"]`` and trained; here its loss is
invented. FOLDER is where Ray keeps results, ``~/ray_results`` by default.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from searchers import Problem, make, problem_from_arrays
from searchers.ray_tune import TuneSearcher


def example_problem() -> Problem:
    """Three layers in a row, each with the latency of its inputs times its outputs."""
    choices = {"conv1": range(2, 17, 2), "conv2": range(4, 33, 4), "conv3": range(4, 33, 4)}
    return problem_from_arrays(
        choices=choices,
        latency={
            ("conv1",): 3e-6 * np.array(choices["conv1"]),
            ("conv1", "conv2"): 1e-6 * np.multiply.outer(choices["conv1"], choices["conv2"]),
            ("conv2", "conv3"): 1e-6 * np.multiply.outer(choices["conv2"], choices["conv3"]),
        },
        budget="50%",
        trials=12,
    )


def train(config: dict[str, Any]) -> None:
    """Report a loss that falls with training and rises with what was cut."""
    widths = config["widths"]
    lost = 8 / widths["conv1"] + 4 / widths["conv2"] + 16 / widths["conv3"]
    for epoch in range(1, 5):
        tune.report({"loss": lost + 1 / epoch})


def main(folder: str | None = None) -> None:
    """Search, and print the best schedule."""
    problem = example_problem()
    tuner = tune.Tuner(
        train,
        tune_config=tune.TuneConfig(
            search_alg=TuneSearcher(make("tpe", problem, seed=0), metric="loss", mode="min"),
            scheduler=ASHAScheduler(max_t=4),
            metric="loss",
            mode="min",
            num_samples=-1,  # until the searcher is done
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    results = tuner.fit()
    best = results.get_best_result()
    widths = (best.config or {})["widths"]
    load = problem.loads(list(widths.values()))[0]
    print(f"{len(results)} trials, best loss {best.metrics['loss']:.3f}, load {load:.3f}: {widths}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
