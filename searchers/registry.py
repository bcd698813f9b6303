"""Searchers by name: the built-in ones and those other packages announce.

What they search is a :class:`~searchers.Problem`, made by hand or by
:func:`~searchers.problem_from_arrays`; who drives them is any loop of ask and tell, or a Ray Tuner
through :class:`searchers.ray_tune.TuneSearcher`.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from searchers.base import Searcher
from searchers.contract import Problem, SearcherError

ENTRY_POINT_GROUP = "autoprune.searchers"

_BUILT_IN = {
    "amc": ("searchers.amc", "AMC"),
    "global": ("searchers.global_threshold", "GlobalThreshold"),
    "legr": ("searchers.legr", "LeGR"),
    "netadapt": ("searchers.netadapt", "NetAdapt"),
    "portfolio": ("searchers.portfolio", "Portfolio"),
    "random": ("searchers.random_search", "RandomSearch"),
    "solver": ("searchers.solver", "Solver"),
    "tpe": ("searchers.tpe", "TPE"),
    "uniform": ("searchers.uniform", "Uniform"),
}


def searcher_names() -> list[str]:
    """Every name :func:`make` knows, sorted."""
    return sorted({*_BUILT_IN, *_announced()})


def options_of(name: str) -> list[str]:
    """The options that the searcher of that name takes.

    Raises:
        SearcherError: no such searcher.
    """
    return _options(_find(name))


def make(
    name: str, problem: Problem, seed: int = 0, *, warm_start: str | None = None, **options: Any
) -> Searcher:
    """Build the searcher of that name.

    Args:
        name: one of :func:`searcher_names`.
        problem: what to search.
        seed: of all its randomness.
        warm_start: ``solver`` lets it begin with the solver's first answer.
        options: of that searcher; see its class.

    Raises:
        SearcherError: no such searcher, or no such option.
    """
    searcher = _find(name)
    legal = _options(searcher)
    unknown = sorted(set(options) - set(legal))
    if unknown:
        raise SearcherError(
            f"searcher {name!r} has no option {', '.join(map(repr, unknown))}; "
            + (f"its options are: {', '.join(legal)}" if legal else "it has no options")
        )
    if warm_start is None:
        return searcher(problem, seed=seed, **options)
    if warm_start != "solver":
        raise SearcherError(f"expected warm_start 'solver' or none, got {warm_start!r}")
    if "first" not in legal:
        takers = [other for other in _BUILT_IN if "first" in _options(_find(other))]
        raise SearcherError(
            f"searcher {name!r} takes no schedules to begin with, so it cannot be warm-started; "
            f"these can: {', '.join(takers)}"
        )
    after_solver: Searcher = _warm_start()(problem, seed=seed, inner=searcher, **options)
    return after_solver


def _find(name: str) -> type[Searcher]:
    if name in _BUILT_IN:
        module, attribute = _BUILT_IN[name]
        found = getattr(import_module(module), attribute)
    elif name in (announced := _announced()):
        found = announced[name].load()
    else:
        raise SearcherError(f"unknown searcher {name!r}; there is: {', '.join(searcher_names())}")
    if not (isinstance(found, type) and issubclass(found, Searcher)):
        raise SearcherError(
            f"entry point {name!r} of group {ENTRY_POINT_GROUP!r} must name a subclass of "
            f"searchers.Searcher, got {found!r}"
        )
    return found


def _warm_start() -> Any:
    return import_module("searchers.warm_start").WarmStart  # it makes searchers itself


def _announced() -> dict[str, EntryPoint]:
    """Entry points of other packages; they cannot take a built-in name."""
    return {
        point.name: point
        for point in entry_points(group=ENTRY_POINT_GROUP)
        if point.name not in _BUILT_IN
    }


def _options(searcher: type[Searcher]) -> list[str]:
    parameters = inspect.signature(searcher.__init__).parameters.values()
    keyword = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return [name for name in keyword if name != "seed"]
