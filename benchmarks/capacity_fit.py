"""What the widths of layers say of longer scores beyond shorter ones, over stored jobs.

    python -m benchmarks.capacity_fit --db FILE FILE

For all finished jobs of one network and budget it fits, by least squares and with an effect for
each seed, what the solver's option ``capacity`` takes for granted:

    log race score = a * log trial score + b * C        over racers and controls
    log test error after the final finetune = a * log race score + b * C        over chosen ones

C is the mean over pruned layers of the logarithm of how many times narrower they are. Prints a and
b with their standard errors; b / a is the ``capacity`` that would have been right. Only jobs whose
scores are losses of a classification are taken.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from autoprune import composition
from autoprune.jobs.summary import layers_of
from autoprune.trials.records import FinalistRecord, JobRecord, TrialRecord
from autoprune.trials.store import TrialStore

LOSSES = ("loss", "calibrated-loss")


class Row(NamedTuple):
    """One schedule: what it scored first and later, how much narrower it is, and its job's seed."""

    before: float
    after: float
    lost: float
    seed: int


class Fit(NamedTuple):
    """Coefficients of what came before and of the capacity lost, with standard errors."""

    before: tuple[float, float]
    lost: tuple[float, float]


def main() -> None:
    """Read, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--db", nargs="+", default=["autoprune.db"])
    found: dict[tuple[str, str, str], dict[tuple[float, ...], Row]] = defaultdict(dict)
    for db in parser.parse_args().db:
        store = composition.records_of(db)
        for job in (store.job(line.id) for line in store.jobs()):
            if job.state == "finished" and job.what["metric"]["name"] in LOSSES:
                spec = job.how["spec"]
                of = spec["model"], ", ".join(job.how["budget"])
                for stage, row in _rows(store, job, spec["seed"]):
                    found[*of, stage][row] = row  # jobs of one seed share their scores
    print("| network | budget | explained | rows | a | b | b / a |\n|" + " --- |" * 7)
    for (model, budget, stage), rows in sorted(found.items()):
        if (fit := fitted(list(rows.values()))) is not None:
            a, b = fit
            cells = [f"{value:.2f} ± {error:.2f}" for value, error in (a, b)]
            print(
                f"| {model} | {budget} | {stage} | {len(rows)} | {' | '.join(cells)} "
                f"| {b[0] / a[0]:.2f} |"
            )


def fitted(rows: list[Row]) -> Fit | None:
    """The regression; None where there are too few rows for it."""
    seeds = sorted({row.seed for row in rows})
    x = np.array([[row.before, row.lost, *(row.seed == s for s in seeds)] for row in rows])
    y = np.array([row.after for row in rows])
    free = len(rows) - x.shape[1]
    if free < 2 or np.linalg.matrix_rank(x) < x.shape[1]:
        return None
    coefficients, *_ = np.linalg.lstsq(x, y, rcond=None)
    residual = y - x @ coefficients
    covariance = residual @ residual / free * np.linalg.inv(x.T @ x)
    a, b = zip(coefficients[:2].tolist(), np.sqrt(np.diag(covariance))[:2].tolist(), strict=True)
    return Fit(a, b)


def _rows(store: TrialStore, job: JobRecord, seed: int) -> Iterator[tuple[str, Row]]:
    finalists = store.finalists(job.id)
    trials = store.trials_at(job.id, {finalist.trial for finalist in finalists})
    for finalist in finalists:
        short, long = _trial_score(trials, finalist), _score(finalist)
        lost = _capacity_lost(job, finalist.widths)
        if long is None:
            continue
        if finalist.origin in ("race", "control") and short is not None:
            yield "race", Row(math.log(short), math.log(long), lost, seed)
        if finalist.slot == job.results["chosen"]["slot"]:
            error = 1.0 - (job.results["final"]["test"]["after"] or 0.0)
            if 0.0 < error < 1.0:
                yield "final", Row(math.log(long), math.log(error), lost, seed)


def _trial_score(trials: Mapping[int, TrialRecord], finalist: FinalistRecord) -> float | None:
    """From the base weights alone: others were finetuned for longer."""
    trial = trials[finalist.trial]
    if trial.start_from is not None or trial.result is None:
        return None
    return trial.result.score


def _score(finalist: FinalistRecord) -> float | None:
    return None if finalist.result is None else finalist.result.score


def _capacity_lost(job: JobRecord, widths: tuple[int, ...]) -> float:
    pruned = [name for name, layer in job.base["layers"].items() if layer["out"]["units"]]
    view = layers_of(job, widths)
    return float(np.mean([-math.log(view[name]["keep_ratio"]) for name in pruned]))


if __name__ == "__main__":
    main()
