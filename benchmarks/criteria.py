"""Every criterion at the same widths: accuracy as cut, reconstructed, and finetuned.

    python -m benchmarks.criteria --model autoprune:resnet20 --weights FILE --data imagefolder:DIR

Each group keeps the widest legal width that is at most ``--keep`` of its units. Prints a Markdown
table of validation accuracies: right after slicing and recalibration, with reconstruction before
it, and after a finetune of ``--steps`` steps on top of both; and the seconds of all three.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from autoprune.cache import cache_folder
from autoprune.data.dataset import Dataset
from autoprune.data.registry import load_data
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Metric
from autoprune.evaluation.environment import prepare_training
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.layout import laid_out
from autoprune.evaluation.scoring import validate
from autoprune.models.registry import build_model
from autoprune.models.weights import load_weights
from autoprune.pruning.criteria import CRITERIA
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import SearchSpace

COLUMNS = ("sliced", "reconstructed", "finetuned")


def main(arguments: Sequence[str] | None = None) -> None:
    """Score each criterion and print."""
    options = _options(arguments)
    prepare_training(1)
    dataset = load_data(options.data, cache_dir=cache_folder())
    model = build_model(
        options.model, classes=len(dataset.classes), input_shape=dataset.input_shape
    ).eval()
    load_weights(model, options.weights)
    dataset = laid_out(model, dataset)
    space = find_groups(model, torch.zeros(2, *dataset.input_shape))
    _, unpruned = validate(model, dataset)
    wanted = fidelities(options.steps)
    rows = [
        score(name, model, space, dataset, widths_at(space, options.keep), wanted)
        for name in options.criteria
    ]
    if options.json:
        found = {"model": options.model, "keep": options.keep, "steps": options.steps}
        print(json.dumps({**found, "unpruned": unpruned, "criteria": rows}, indent=2))
    else:
        print(f"Unpruned: {unpruned:.2%}\n")
        print(table(rows))


def widths_at(space: SearchSpace, keep: float) -> dict[str, int]:
    """The widest legal width of each group that is at most ``keep`` of its units, or its least."""
    return {
        group.name: max(
            (width for width in group.choices if width <= keep * group.units),
            default=group.choices[0],
        )
        for group in space.groups
    }


def fidelities(steps: int) -> dict[str, Fidelity]:
    """What each column is scored with."""
    reconstructed = Fidelity(steps=0)
    return {
        "sliced": replace(reconstructed, reconstruction_batches=0),
        "reconstructed": reconstructed,
        "finetuned": Fidelity(steps=steps),
    }


def score(
    criterion: str,
    model: torch.nn.Module,
    space: SearchSpace,
    dataset: Dataset,
    widths: dict[str, int],
    wanted: dict[str, Fidelity],
) -> dict[str, Any]:
    """Accuracy in [0, 1] at each fidelity, and seconds; or what went wrong."""
    evaluator = NetworkEvaluator(
        model, space, dataset, criterion=criterion, metric=Metric(), seed=0
    )
    started = time.perf_counter()
    row: dict[str, Any] = {"criterion": criterion}
    for column, fidelity in wanted.items():
        result = evaluator.evaluate(EvaluationRequest(widths, fidelity))
        if result.error is not None:
            return {**row, "error": result.error}
        row[column] = result.accuracy
    return {**row, "seconds": time.perf_counter() - started}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown, a line for each criterion."""
    head = ("criterion", *COLUMNS, "seconds")
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for row in rows:
        if "error" in row:
            cells = [row["criterion"], row["error"], *[""] * len(COLUMNS)]
        else:
            accuracies = (f"{row[column]:.2%}" for column in COLUMNS)
            cells = [row["criterion"], *accuracies, f"{row['seconds']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="autoprune:resnet20")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--keep", type=float, default=0.5)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--criteria", nargs="+", default=list(CRITERIA))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
