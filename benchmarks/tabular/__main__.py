"""Searchers on networks that are arrays: regret after every trial, over many seeds.

    python -m benchmarks.tabular --seeds 30
    python -m benchmarks.tabular --seeds 30 --json > regret.json
    python -m benchmarks.tabular --seeds 30 --plot regret.html

Regret is (loss - optimum) / (loss of uniform - optimum) of the best schedule so far. The optimum is
that of the integer program, proven. Figures are over all networks and seeds, at the last trial; p
is that of Wilcoxon's signed-rank test against random search with the same networks and seeds.
``legr+solver`` is LeGR that begins with the solver's first answer. ``--folder`` keeps the curves:
a run that was stopped goes on with them. Empty it when a searcher changed.
"""

from __future__ import annotations

import argparse
import json
import os
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

from benchmarks.tabular.figures import page
from benchmarks.tabular.landscape import FOLDER
from benchmarks.tabular.runs import Case, FloatArray, curves

SEARCHERS = (
    "random",
    "global",
    "amc",
    "netadapt",
    "legr",
    "tpe",
    "solver",
    "portfolio",
    "legr+solver",
    "tpe+solver",
)
BUDGETS = (0.3, 0.5, 0.7)
Curves = dict[tuple[str, float], FloatArray]
"""(searcher, budget) -> regrets [networks * seeds, trials]."""


def main() -> None:
    """Run all cases, then report."""
    options = _options()
    cases = [
        Case(searcher, network, budget, seed, options.trials)
        for searcher, budget, network, seed in product(
            options.searchers, options.budgets, options.networks, range(options.seeds)
        )
    ]
    found = np.array(curves(cases, options.workers, options.folder))
    by_case: Curves = {}
    for key in product(options.searchers, options.budgets):
        chosen = [(case.searcher, case.budget) == key for case in cases]
        by_case[key] = found[chosen]
    figures = report(by_case)
    if options.plot:
        page(by_case, options.plot)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        _print(figures)


def report(by_case: Curves) -> dict[str, dict[str, dict[str, float | None]]]:
    """Searcher -> budget -> median and upper quartile of the final regret, and p against random."""
    figures: dict[str, dict[str, dict[str, float | None]]] = {}
    for (searcher, budget), regrets in by_case.items():
        final = regrets[:, -1]
        reference = by_case.get(("random", budget))
        figures.setdefault(searcher, {})[f"{budget:.0%}"] = {
            "regret_median": round(float(np.median(final)), 4),
            "regret_q75": round(float(np.quantile(final, 0.75)), 4),
            "p_vs_random": None if reference is None else _p_below(final, reference[:, -1]),
        }
    return figures


def _p_below(ours: FloatArray, theirs: FloatArray) -> float | None:
    """One-sided: how likely so much lower regrets are where neither is better."""
    if not np.any(ours != theirs):
        return None
    return float(wilcoxon(ours, theirs, alternative="less").pvalue)


def _print(figures: dict[str, dict[str, dict[str, float | None]]]) -> None:
    budgets = list(next(iter(figures.values())))
    print("| searcher | " + " | ".join(f"{budget}: median, q75, p" for budget in budgets) + " |")
    print("|" + " --- |" * (1 + len(budgets)))
    for searcher, of_budgets in figures.items():
        cells = [
            f"{found['regret_median']:.3f}, {found['regret_q75']:.3f}, "
            + ("" if found["p_vs_random"] is None else f"{found['p_vs_random']:.0e}")
            for found in of_budgets.values()
        ]
        print(f"| {searcher} | {' | '.join(cells)} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--budgets", nargs="+", type=float, default=BUDGETS)
    parser.add_argument("--networks", nargs="+", default=sorted(p.stem for p in FOLDER.iterdir()))
    parser.add_argument("--searchers", nargs="+", default=SEARCHERS)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path, help="keeps the curves, to go on with")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", help="HTML file for the curves")
    return parser.parse_args()


if __name__ == "__main__":
    main()
