"""The benchmark on arrays: its optima are optima, its curves repeat, its report has its form."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tabular.fit import fit_losses
from benchmarks.tabular.landscape import FOLDER, load_landscape
from benchmarks.tabular.runs import Case, curve
from searchers.solver.tables import TableSum, places_of

ROOT = Path(__file__).parents[2]
NETWORKS = sorted(path.stem for path in FOLDER.iterdir())


@pytest.mark.parametrize("network", NETWORKS)
def test_no_schedule_within_budget_is_below_the_optimum(network: str) -> None:
    """Neither random ones nor the uniform one, which regret is measured against."""
    landscape = load_landscape(network)
    optimum, off = landscape.optimum(0.5)
    problem = landscape.problem(0.5, 1)
    rng = np.random.default_rng(0)
    rows = np.stack([rng.choice(g.choices, 5_000) for g in landscape.groups], axis=1)
    fitting = rows[problem.feasible(rows)]
    assert len(fitting) > 50
    losses = np.exp(landscape.log_loss(places_of(landscape.groups, fitting)))
    assert optimum * (1 - off) <= losses.min()
    assert optimum < landscape.uniform(0.5)


def test_the_same_seed_gives_the_same_curve_and_another_seed_another() -> None:
    """Nothing of a run depends on the process it is in."""
    case = Case("solver", "resnet20", 0.5, 0, 8)
    assert np.array_equal(curve(case), curve(case))
    other = curve(Case("solver", "resnet20", 0.5, 1, 8))
    assert not np.array_equal(curve(case), other)


def test_a_curve_never_rises_and_that_of_uniform_is_one() -> None:
    """A searcher that is done keeps its regret."""
    assert curve(Case("uniform", "resnet20", 0.5, 0, 4)).tolist() == pytest.approx([1.0] * 4)
    regrets = curve(Case("solver", "resnet20", 0.5, 0, 8))
    assert (np.diff(regrets) <= 0).all()
    assert regrets[-1] >= -1e-9


def test_the_report_has_a_median_a_quartile_and_a_test_for_each_budget(tmp_path: Path) -> None:
    """As JSON on stdout, and as a page of curves."""
    page = tmp_path / "curves.html"
    command = [sys.executable, "-m", "benchmarks.tabular", "--seeds", "2", "--trials", "6"]
    command += ["--networks", "digits_cnn", "--budgets", "0.5", "--searchers", "random", "uniform"]
    command += ["--workers", "1", "--json", "--plot", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    assert set(figures) == {"random", "uniform"}
    assert set(figures["uniform"]["50%"]) == {"regret_median", "regret_q75", "p_vs_random"}
    assert figures["uniform"]["50%"]["regret_median"] == pytest.approx(1.0)
    assert "regret: 0 is the optimum" in page.read_text(encoding="utf-8")


def test_a_loss_that_is_a_sum_over_groups_and_pairs_is_fitted() -> None:
    """From enough evaluations, on ones that were left out."""
    landscape = load_landscape("digits_cnn")
    truth = TableSum(
        0.2,
        tuple(0.3 * (1 - np.arange(len(g.choices)) / len(g.choices)) for g in landscape.groups),
        {},
    )
    rng = np.random.default_rng(0)
    rows = np.stack([rng.choice(g.choices, 200) for g in landscape.groups], axis=1)
    losses = np.exp(truth(places_of(landscape.groups, rows)))
    _, facts = fit_losses(landscape.groups, [(0, 1)], rows, losses)
    assert facts["r2_held_out"] > 0.95
