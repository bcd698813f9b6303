"""How well scores after short finetunes rank schedules, judged by a longer one.

    python -m benchmarks.fidelity JOB JOB --each 4 --recipes 30:0.01:0.5 120:0.01:0.5 780:0.01:0.5

Scores the best trials of finished jobs again under each recipe, written steps:learning
rate:teacher's weight. The jobs have to be of one network and one data set. Prints a line for each
recipe: Spearman's rank correlation with the last one, by score, by score with the capacity that it
does not see (as the solver counts it), and by accuracy, the mean accuracy, and seconds for each
schedule.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from autoprune import composition
from autoprune.evaluation.contract import (
    EvaluationRequest,
    EvaluationResult,
    Fidelity,
    Metric,
)
from autoprune.evaluation.environment import prepare_training
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.jobs.capacity import unseen_capacity
from autoprune.jobs.context import silent
from autoprune.jobs.knowledge import evaluated_of
from autoprune.jobs.planning import Plan
from autoprune.trials.records import TrialRecord
from searchers.contract import FloatArray
from searchers.solver.foresight import Foresight

Widths = tuple[int, ...]
_CORRELATIONS = ("scores", "with_capacity", "accuracies")


def main(arguments: Sequence[str] | None = None) -> None:
    """Score, correlate, print."""
    options = _options(arguments)
    stores, record = composition.open_job(options.db, options.jobs[0])
    plan = composition.reopen(stores, record.id, silent, {})
    prepare_training(plan.spec.train_threads)
    jobs = [stores.trials.trials(stores.trials.job(job).id) for job in options.jobs]
    schedules = [w for trials in jobs for w in best_of(trials, plan.metric, options.each)]
    distinct = list(dict.fromkeys(schedules))
    recipes = [recipe_of(text, plan.fidelity) for text in options.recipes]
    scored = [score(plan, distinct, recipe) for recipe in recipes]
    lost = Foresight(plan.problem.groups, 1.0).added(distinct)
    rows = [
        {
            "recipe": text,
            **row_of(results, scored[-1], unseen_capacity(recipe.steps, recipes[-1].steps) * lost),
        }
        for text, recipe, results in zip(options.recipes, recipes, scored, strict=True)
    ]
    if options.json:
        print(json.dumps({"schedules": distinct, "recipes": rows}, indent=2))
    else:
        print(f"{len(distinct)} schedules\n\n{table(rows)}")


def best_of(trials: Sequence[TrialRecord], metric: Metric, count: int) -> list[Widths]:
    """The schedules of the best trials from the base weights."""
    found = sorted(evaluated_of(trials, metric), key=lambda each: (each.loss, each.trial))
    return [each.widths for each in found[:count]]


def recipe_of(text: str, fidelity: Fidelity) -> Fidelity:
    """``steps:learning rate:teacher``; everything else as in the job."""
    steps, rate, teacher = text.split(":")
    return replace(fidelity, steps=int(steps), learning_rate=float(rate), teacher=float(teacher))


def score(plan: Plan, schedules: Sequence[Widths], fidelity: Fidelity) -> list[EvaluationResult]:
    """One result for each schedule."""
    subject, spec = plan.subject, plan.spec
    evaluator = NetworkEvaluator(
        subject.model,
        subject.space,
        subject.data,
        criterion=spec.criterion,
        metric=plan.metric,
        seed=spec.seed,
    )
    return [
        evaluator.evaluate(EvaluationRequest(subject.space.named(widths), fidelity))
        for widths in schedules
    ]


def row_of(
    results: Sequence[EvaluationResult], last: Sequence[EvaluationResult], unseen: FloatArray
) -> dict[str, Any]:
    """What one recipe's scores say about the last one's.

    Args:
        unseen: what each schedule's capacity will add to the logarithm of its score, a loss; [N].
    """
    expected = [
        None if r.score is None else r.score * float(np.exp(added))
        for r, added in zip(results, unseen, strict=True)
    ]
    return {
        "scores": _correlation([r.score for r in results], [r.score for r in last]),
        "with_capacity": _correlation(expected, [r.score for r in last]),
        "accuracies": _correlation([r.accuracy for r in results], [r.accuracy for r in last]),
        "accuracy": statistics.fmean(r.accuracy or 0.0 for r in results),
        "seconds": statistics.median(r.seconds for r in results),
        "all": [[r.score, r.accuracy] for r in results],
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown, a line for each recipe."""
    head = ["steps : rate : teacher", "scores", "with capacity", "accuracies"]
    head += ["mean accuracy", "seconds"]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = [row["recipe"], *(f"{row[key]:.2f}" for key in _CORRELATIONS)]
        cells += [f"{row['accuracy']:.1%}", f"{row['seconds']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _correlation(these: Sequence[float | None], those: Sequence[float | None]) -> float:
    both = [(a, b) for a, b in zip(these, those, strict=True) if a is not None and b is not None]
    return float(spearmanr([a for a, _ in both], [b for _, b in both]).statistic)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("jobs", nargs="+")
    parser.add_argument("--db", default="autoprune.db")
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--recipes", nargs="+", default=["30:0.01:0.5", "120:0.01:0.5"])
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
