"""Spearman's rank correlation is SciPy's, and costs a program's start nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import spearmanr

from latency_tables.rank_correlation import rank_correlation


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_it_is_scipys_with_and_without_ties(seed: int, levels: int) -> None:
    first, second = np.random.default_rng(seed).integers(0, levels, size=(2, 30)).astype(float)
    found = rank_correlation(first, second)
    assert found == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_there_is_none_where_all_values_tie() -> None:
    some = np.array([1.0, 2.0, 3.0])
    assert rank_correlation(some, np.ones(3)) is None
    assert rank_correlation(np.ones(3), some) is None
    assert rank_correlation(np.empty(0), np.empty(0)) is None


def test_the_program_starts_without_scipys_statistics() -> None:
    asked = "import sys, autoprune.cli.main; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
