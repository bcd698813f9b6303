"""Searchers: which widths should be tried next?

A searcher proposes schedules by ask and tell. It needs arrays and a cost function, nothing else,
so it can be used alone::

    >>> import numpy as np
    >>> from searchers import Done, Group, Outcome, Problem, Wait, make
    >>> units = np.array([16, 32, 64])
    >>> def load(widths):                       # [N, 3] -> [N]; at most 1 is within budget
    ...     inputs = np.column_stack([np.full(len(widths), 3), widths[:, :-1]])
    ...     return (inputs * widths).sum(axis=1) / 1300
    >>> groups = tuple(
    ...     Group(f"conv{i}", int(u), tuple(range(int(u) // 8, int(u) + 1, int(u) // 8)))
    ...     for i, u in enumerate(units)
    ... )
    >>> problem = Problem(groups, load, trials=20)
    >>> searcher = make("tpe", problem, seed=0)
    >>> best = (np.inf, ())
    >>> while not isinstance(suggestion := searcher.ask(), Done):
    ...     assert not isinstance(suggestion, Wait)  # everything asked has been told
    ...     lost = 1 - np.array(suggestion.widths) / units
    ...     loss = float((lost**2 * [4, 2, 1]).sum())
    ...     searcher.tell(suggestion.id, Outcome(loss))
    ...     best = min(best, (loss, suggestion.widths))
    >>> bool(problem.feasible(best[1])[0])
    True

Where latencies are in tables, :func:`problem_from_arrays` makes the problem. Inside a Ray Tuner,
:class:`searchers.ray_tune.TuneSearcher` asks and tells.

The built-in searchers are ``amc``, ``legr``, ``netadapt``, ``tpe``, ``solver`` and ``portfolio``,
and the baselines ``uniform``, ``global`` and ``random``.
Another package adds one by an entry point of the group ``autoprune.searchers`` that names a
:class:`Searcher`, and checks it with :class:`searchers.testing.SearcherContract`.
Importing this package is light: torch and optuna come with AMC and TPE only, Ray with
:mod:`searchers.ray_tune`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from searchers.arrays import problem_from_arrays
from searchers.base import Searcher
from searchers.contract import (
    Done,
    Group,
    LayerTraits,
    MisuseError,
    Outcome,
    Problem,
    ProblemError,
    SearcherError,
    SearcherState,
    Suggestion,
    Wait,
)
from searchers.projection import project
from searchers.registry import make, searcher_names

if TYPE_CHECKING:
    from searchers.amc import AMC
    from searchers.global_threshold import GlobalThreshold
    from searchers.legr import LeGR
    from searchers.netadapt import NetAdapt
    from searchers.portfolio import Portfolio
    from searchers.random_search import RandomSearch
    from searchers.ranking import Ranking
    from searchers.solver import Solver
    from searchers.tpe import TPE
    from searchers.uniform import Uniform
    from searchers.warm_start import WarmStart

__all__ = [
    "AMC",
    "TPE",
    "Done",
    "GlobalThreshold",
    "Group",
    "LayerTraits",
    "LeGR",
    "MisuseError",
    "NetAdapt",
    "Outcome",
    "Portfolio",
    "Problem",
    "ProblemError",
    "RandomSearch",
    "Ranking",
    "Searcher",
    "SearcherError",
    "SearcherState",
    "Solver",
    "Suggestion",
    "Uniform",
    "Wait",
    "WarmStart",
    "make",
    "problem_from_arrays",
    "project",
    "searcher_names",
]

_LAZY = {
    "AMC": "searchers.amc",
    "GlobalThreshold": "searchers.global_threshold",
    "LeGR": "searchers.legr",
    "NetAdapt": "searchers.netadapt",
    "Portfolio": "searchers.portfolio",
    "RandomSearch": "searchers.random_search",
    "Ranking": "searchers.ranking",
    "Solver": "searchers.solver",
    "TPE": "searchers.tpe",
    "Uniform": "searchers.uniform",
    "WarmStart": "searchers.warm_start",
}


def __getattr__(name: str) -> object:
    """Import a searcher when it is first named."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
