"""How well the solver's model of the loss predicts trials that it was not told.

    python -m benchmarks.surrogate --db FILE JOB JOB --told 12 24 40

Takes the scored trials of finished jobs of one network and budget; the first job is a solver's,
whose probes are told too. For each number of trials told, at random, it prints Spearman's rank
correlation of what the model expects of the others with their scores, on average over the draws.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from autoprune import composition
from autoprune.jobs.history import outcome_of
from autoprune.jobs.planning import Plan
from autoprune.trials.records import TrialRecord
from searchers.contract import Outcome, Suggestion
from searchers.solver import Solver

Widths = tuple[int, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Tell some, compare with the others, print."""
    options = _options(arguments)
    stores, record = composition.open_job(options.db, options.jobs[0])
    plan = composition.reopen(stores, record.id, _quiet, {})
    jobs = [stores.trials.job(job).id for job in options.jobs]
    trials = [trial for job in jobs for trial in stores.trials.trials(job)]
    probes = {t.widths: outcome_of(t, plan.metric) for t in trials if t.purpose == "probe"}
    scored = scores_of(trials)
    print(f"{len(scored)} schedules\n\n| told | rank correlation |\n| --- | --- |")
    for told in options.told:
        draws = [correlation(plan, probes, scored, told, draw) for draw in range(options.draws)]
        print(f"| {told} | {statistics.fmean(draws):.2f} |")


def scores_of(trials: Sequence[TrialRecord]) -> list[tuple[Widths, float]]:
    """Every schedule that was a trial from the base weights, with its score."""
    found = {
        trial.widths: trial.result.score
        for trial in trials
        if trial.purpose != "probe" and trial.start_from is None
        if trial.result is not None and trial.result.score is not None
    }
    return list(found.items())


def correlation(
    plan: Plan,
    probes: dict[Widths, Outcome],
    scored: Sequence[tuple[Widths, float]],
    told: int,
    draw: int,
) -> float:
    """Of what a solver that knows ``told`` schedules expects of the others, with their scores."""
    order = np.random.default_rng(draw).permutation(len(scored))
    known, others = [scored[i] for i in order[:told]], [scored[i] for i in order[told:]]
    solver = Solver(plan.problem, known=known)
    for said in [solver.ask() for _ in range(solver.probes)]:
        assert isinstance(said, Suggestion)
        solver.tell(said.id, probes.get(said.widths, Outcome(None)))
    expected = solver.expected([widths for widths, _ in others])
    return float(spearmanr(expected, [score for _, score in others]).statistic)


def _quiet(kind: str, payload: dict[str, Any]) -> None:
    """Nobody waits for the loading."""


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("jobs", nargs="+")
    parser.add_argument("--db", default="autoprune.db")
    parser.add_argument("--told", nargs="+", type=int, default=[12, 24, 40])
    parser.add_argument("--draws", type=int, default=12)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
