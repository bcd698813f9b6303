"""Searches over landscapes: one curve of regret for every searcher, network, budget and seed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.tabular.landscape import Landscape, load_landscape
from searchers import make
from searchers.testing import run

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One search. A name such as ``legr+solver`` is LeGR warm-started by the solver."""

    searcher: str
    network: str
    budget: float
    seed: int
    trials: int

    @property
    def name(self) -> str:
        """As a file may be called."""
        return f"{self.searcher}-{self.network}-{100 * self.budget:g}%-{self.seed}-{self.trials}"


def curves(cases: Sequence[Case], workers: int, folder: Path | None = None) -> list[FloatArray]:
    """Regret after each trial, of each case; [trials] each.

    Args:
        folder: where curves are kept, and read again by a run that goes on with them.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    find = partial(_curve_in, folder)
    if workers == 1:
        return [find(case) for case in cases]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(find, cases, chunksize=1))


def _curve_in(folder: Path | None, case: Case) -> FloatArray:
    if folder is None:
        return curve(case)
    path = folder / f"{case.name}.npy"
    if not path.exists():
        written = path.with_suffix(".part.npy")
        np.save(written, curve(case))
        written.replace(path)
    found: FloatArray = np.load(path)
    return found


def curve(case: Case) -> FloatArray:
    """Regret of the best candidate so far: 0 at the optimum, 1 at the uniform schedule.

    Infinite before the first candidate within budget. A searcher that is done before its trials are
    spent keeps its regret.
    """
    landscape = _landscape(case.network)
    name, _, warm_start = case.searcher.partition("+")
    problem = landscape.problem(case.budget, case.trials)
    searcher = make(name, problem, case.seed, warm_start=warm_start or None)
    told = run(searcher, landscape.score)
    losses = [
        outcome.loss if said.purpose == "candidate" and outcome.loss is not None else np.inf
        for said, outcome in told
        if said.purpose != "probe"
    ]
    optimum, uniform = reference(case.network, case.budget)
    regrets = (np.minimum.accumulate(losses) - optimum) / (uniform - optimum)
    rest = np.full(case.trials - len(regrets), regrets[-1])
    return np.concatenate([regrets, rest])


@lru_cache
def reference(network: str, budget: float) -> tuple[float, float]:
    """Losses of the optimum and of the uniform schedule."""
    landscape = _landscape(network)
    return landscape.optimum(budget)[0], landscape.uniform(budget)


@lru_cache
def _landscape(network: str) -> Landscape:
    return load_landscape(network)
