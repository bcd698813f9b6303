"""How well the solver's model of the loss predicts trials that it was not told.

    python -m benchmarks.surrogate --db FILE JOB JOB --told 12 24 40

Takes the scored trials of finished jobs of one network and budget; the first job is a solver's,
whose probes are told too. For each number of trials told, at random, it prints Spearman's rank
correlation of what the model expects of the others with their scores, on average over the draws.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import spearmanr

from autoprune import composition
from autoprune.jobs.context import silent
from autoprune.jobs.knowledge import evaluated_of, learn
from autoprune.jobs.planning import Plan
from searchers.contract import Outcome, Suggestion
from searchers.solver import Solver

Widths = tuple[int, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Tell some, compare with the others, print."""
    options = _options(arguments)
    stores, record = composition.open_job(options.db, options.jobs[0])
    plan = composition.reopen(stores, record.id, silent, {})
    jobs = [stores.trials.trials(stores.trials.job(job).id) for job in options.jobs]
    known = [each for trials in jobs for each in evaluated_of(trials, plan.metric)]
    scored = list({each.widths: each.loss for each in known}.items())
    probed = learn(stores.trials, record, plan).probed
    print(f"{len(scored)} schedules\n\n| told | rank correlation |\n| --- | --- |")
    for told in options.told:
        draws = [correlation(plan, probed, scored, told, draw) for draw in range(options.draws)]
        print(f"| {told} | {statistics.fmean(draws):.2f} |")


def correlation(
    plan: Plan,
    probed: Callable[[Widths], Outcome],
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
        solver.tell(said.id, probed(said.widths))
    expected = solver.expected([widths for widths, _ in others])
    return float(spearmanr(expected, [score for _, score in others]).statistic)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("jobs", nargs="+")
    parser.add_argument("--db", default="autoprune.db")
    parser.add_argument("--told", nargs="+", type=int, default=[12, 24, 40])
    parser.add_argument("--draws", type=int, default=12)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
