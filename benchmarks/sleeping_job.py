"""A big job without a network, for benchmarks of what surrounds the evaluations.

The loop, the database, the searchers and the worker processes are those of every job; only the
evaluator is replaced, by one that sleeps and answers a score that its widths decide.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoprune.evaluation.contract import (
    EvaluationRequest,
    EvaluationResult,
    Fidelity,
    Metric,
    Probe,
)
from autoprune.jobs.context import SearchContext
from autoprune.jobs.executors.port import Executor
from autoprune.jobs.keys import hash_of
from autoprune.trials.artifacts import ArtifactFolder
from autoprune.trials.engine import connect
from autoprune.trials.records import Json, Lease
from autoprune.trials.store import TrialStore
from searchers.base import Searcher
from searchers.contract import Problem
from searchers.registry import make
from searchers.testing import sample_problem

GROUPS = 20
"""16 legal widths each: schedules do not repeat themselves."""
LOOKAHEAD = 4


@dataclass(frozen=True)
class Sleeper:
    """An evaluator, and the picklable recipe of itself.

    Args:
        seconds: that each evaluation sleeps.
    """

    seconds: float

    def __call__(self) -> Sleeper:
        """The evaluator."""
        return self

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        """Sleep; narrow groups cost the more the later they come."""
        if self.seconds:  # sleeping for nothing gives the processor away
            time.sleep(self.seconds)
        loss = sum((place + 1) / width for place, width in enumerate(request.widths.values()))
        weights = repr(request.widths).encode() if request.want_weights else None
        return EvaluationResult(loss, loss, 1 / (1 + loss), self.seconds, weights=weights)


def open_store(db: str, folder: Path) -> TrialStore:
    """The database, with its artifacts in a folder."""
    return TrialStore(connect(db), ArtifactFolder(folder / "artifacts"))


def create_job(store: TrialStore, searcher: str, trials: int) -> str:
    """Enter a job; returns its id. A second one of the same database finds no score of the first.

    Args:
        searcher: its registered name.
    """
    what = {
        "searcher": searcher,
        "trials": trials,
        "seed": len(store.jobs()),
        "lookahead": LOOKAHEAD,
        "metric": {"name": "loss", "direction": "minimize"},
        "groups": [{"name": g.name, "units": g.units} for g in make_problem(trials).groups],
        "limits": {"latency": 1.0},
    }
    base = {"score": 1.0, "accuracy": 0.5, "measured_latency_s": 2.0, "layers": {}}
    return store.create_job(what, hash_of(what), {"budget": ["50%"]}, "sleeping", base)


def make_problem(trials: int) -> Problem:
    """A chain of convolutions under half of its cost."""
    return sample_problem(GROUPS, trials)


def make_searcher(what: Json) -> Searcher:
    """The job's searcher, at its beginning."""
    return make(what["searcher"], make_problem(what["trials"]), seed=what["seed"])


def context_of(store: TrialStore, lease: Lease, executor: Executor) -> SearchContext:
    """What the driver of the job holds."""
    job = store.job(lease.job)
    problem = make_problem(job.what["trials"])

    def predict(schedules: Sequence[tuple[int, ...]]) -> list[Json]:
        return [{"latency_s": load} for load in problem.loads(np.array(schedules)).tolist()]

    return SearchContext(
        store=store,
        job=job,
        lease=lease,
        groups=tuple(group.name for group in problem.groups),
        problem=problem,
        rung=lambda fraction: lambda widths: problem.load(widths) / fraction,
        make_searcher=lambda: make_searcher(job.what),
        lookahead=job.what["lookahead"],
        predict=predict,
        explain=lambda _: [],
        executor=executor,
        fidelity=Fidelity(steps=1),
        race=Fidelity(steps=2),
        probe=Probe(images=64),
        metric=Metric(**job.what["metric"]),
        scope={"what": job.what_hash},
    )


def parser_of(about: str | None, trials: int) -> argparse.ArgumentParser:
    """The options that every benchmark of such a job has; ``trials`` is the default."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--trials", type=int, default=trials)
    parser.add_argument("--searcher", default="legr")
    parser.add_argument("--db", help="a postgresql:// URL; a SQLite file unless given")
    parser.add_argument("--json", action="store_true")
    return parser
