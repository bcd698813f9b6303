"""A job without a network: a deterministic evaluator that costs milliseconds, a real database."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from probing_searcher import ProbingSearcher

from autoprune.evaluation.contract import (
    EvaluationRequest,
    EvaluationResult,
    Fidelity,
    Metric,
    Probe,
)
from autoprune.jobs.context import Progress, SearchContext, silent
from autoprune.jobs.executors.inline import InlineExecutor
from autoprune.jobs.executors.port import Executor, Recipe
from autoprune.jobs.executors.processes import ProcessExecutor
from autoprune.jobs.keys import hash_of
from autoprune.jobs.lease import acquire, heartbeat
from autoprune.jobs.runner import LaterStages, run_job, run_search_and_race
from autoprune.jobs.summary import summarise_job
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.records import Json, Lease
from autoprune.trials.store import TrialStore
from searchers.base import Searcher
from searchers.contract import Problem
from searchers.registry import make
from searchers.testing import sample_problem

FIDELITY = Fidelity(steps=1)
RACE = Fidelity(steps=2)
PROBE = Probe(images=64)
MARGIN = 0.05
"""The search aims so much below the budget."""


@dataclass(frozen=True)
class CheapEvaluator:
    """Scores by a hash of widths, fidelity and starting weights, so that any mix-up shows.

    Args:
        pause_s: of each evaluation.
        failing: widths of the first group that raise, and those that give NaN.
    """

    pause_s: float = 0.004
    failing: tuple[int, ...] = ()

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        time.sleep(self.pause_s)
        widths = list(request.widths.values())
        if widths[0] in self.failing:
            return EvaluationResult(None, None, None, self.pause_s, error="NaN loss")
        start = request.start or b"base"
        seen = hashlib.sha256(repr((widths, request.fidelity)).encode() + start).digest()
        noise = int.from_bytes(seen[:4], "big") / 2**32
        loss = sum((i + 1) / w for i, w in enumerate(widths)) + 0.1 * noise
        weights = seen * 50 if request.want_weights else None
        return EvaluationResult(loss, loss, 1 / (1 + loss), self.pause_s, weights=weights)


@dataclass(frozen=True)
class CheapRecipe:
    """Picklable factory of :class:`CheapEvaluator`."""

    pause_s: float = 0.004
    failing: tuple[int, ...] = ()

    def __call__(self) -> CheapEvaluator:
        return CheapEvaluator(self.pause_s, self.failing)


def open_store(folder: Path, url: str | None = None) -> TrialStore:
    return TrialStore(
        connect(url or str(folder / "trials.db")), ArtifactFolder(folder / "artifacts")
    )


def create(
    store: TrialStore,
    searcher: str,
    trials: int,
    seed: int = 0,
    lookahead: int = 4,
    direction: str = "minimize",
    priority: int | None = None,
    environment: str = "test",
) -> str:
    problem = make_problem(trials)
    what = {
        "searcher": searcher,
        "trials": trials,
        "seed": seed,
        "lookahead": lookahead,
        "metric": {"name": "loss", "direction": direction},
        "groups": [{"name": g.name, "units": g.units} for g in problem.groups],
        "limits": {"latency": 1.0},
    }
    base = {"score": 1.0, "accuracy": 0.5, "measured_latency_s": 2.0, "layers": {}}
    how = {"budget": ["50%"]}
    return store.create_job(what, hash_of(what), how, environment, base, priority=priority)


def make_problem(trials: int) -> Problem:
    return sample_problem(6, trials)


def searcher_of(what: Json, problem: Problem) -> Searcher:
    if what["searcher"] == ProbingSearcher.name:
        return ProbingSearcher(problem, seed=what["seed"], chained=True)
    return make(what["searcher"], problem, seed=what["seed"])


def predicted_s(problem: Problem, widths: tuple[int, ...]) -> float:
    """Seconds, under a budget of one second."""
    return float(problem.loads(np.array(widths))[0]) * (1 - MARGIN)


def executor_of(recipe: Recipe, workers: int) -> Executor:
    if workers == 1:
        return InlineExecutor(recipe)
    return ProcessExecutor(recipe, workers, start_method="fork")


def drive(
    folder: Path,
    job: str,
    workers: int = 1,
    recipe: Recipe | None = None,
    url: str | None = None,
    executor: Executor | None = None,
    stages: LaterStages | None = None,
    progress: Progress = silent,
) -> str:
    """Run a job to the end of its race, or of all stages; returns its digest."""
    store = open_store(folder, url)
    lease = acquire(store, job)
    executor = executor or executor_of(recipe or CheapRecipe(), workers)
    try:
        with heartbeat(store, lease):
            context = context_of(store, lease, executor, progress)
            if stages is None:
                run_search_and_race(context)
                store.commit(lease, state="finished")
            else:
                run_job(context, stages)
    finally:
        executor.close()
        store.release(lease)
    return digest(folder, job, url)


def context_of(
    store: TrialStore, lease: Lease, executor: Executor, progress: Progress = silent
) -> SearchContext:
    record = store.job(lease.job)
    problem = make_problem(record.what["trials"])

    def predict(schedules: Sequence[tuple[int, ...]]) -> list[Json]:
        return [{"latency_s": predicted_s(problem, widths)} for widths in schedules]

    return SearchContext(
        store=store,
        job=record,
        lease=lease,
        groups=tuple(group.name for group in problem.groups),
        problem=problem,
        rung=lambda fraction: lambda widths: problem.load(widths) * (1 - MARGIN) / fraction,
        make_searcher=lambda: searcher_of(record.what, problem),
        lookahead=record.what["lookahead"],
        predict=predict,
        explain=lambda widths: [{"saved_s": 1.0 / sum(widths)}],
        executor=executor,
        fidelity=FIDELITY,
        race=RACE,
        probe=PROBE,
        metric=Metric(**record.what["metric"]),
        scope={"what": record.what_hash},
        progress=progress,
    )


def digest(folder: Path, job: str, url: str | None = None) -> str:
    return str(summarise_job(open_store(folder, url), job)["digest"])


def drive_process(folder: Path, job: str, workers: int, pause_s: float) -> None:
    """Entry point of a driver process that will be killed."""
    os.setpgid(0, 0)
    drive(folder, job, workers, CheapRecipe(pause_s))
