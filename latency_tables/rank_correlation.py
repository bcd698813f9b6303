"""Spearman's rank correlation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def rank_correlation(first: FloatArray, second: FloatArray) -> float | None:
    """Pearson's correlation of the ranks, in [-1, 1]; equal values share the mean of theirs.

    Args:
        first, second: of the same length, finite.

    Returns:
        None where all values of one of them are equal, or where there are none.
    """
    if not len(first) or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    from scipy.stats import spearmanr  # a tenth of a program's start, which few programs need

    return float(spearmanr(first, second).statistic)
