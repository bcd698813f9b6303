from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from latency_tables import (
    Sample,
    interleaved_times,
    ratio_to_first,
    ratios_of,
    summarise,
    time_interleaved,
)


def spinning_for(seconds: float) -> Callable[[], None]:
    def call() -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            pass

    return call


def test_a_summary_agrees_with_numbers_computed_by_hand() -> None:
    found = summarise([5.0, 1.0, 3.0, 2.0, 4.0])
    assert found.median_s == 3.0
    assert found.mad_s == 1.0  # the median of |x - 3| = 2, 2, 0, 1, 1
    assert found.quantiles == pytest.approx((1.4, 2.0, 3.0, 4.0, 4.6, 4.8))
    assert found.repeats == 5
    # 1.96 standard errors of 1.2533 sigma / sqrt(5), where sigma is 1.4826 and the median 3.
    assert found.interval == pytest.approx(0.5429, abs=1e-4)
    assert found.noisy


def test_one_outlier_moves_neither_the_median_nor_the_mark() -> None:
    found = summarise([1.0] * 8 + [1.001] * 3 + [50.0])
    assert found.median_s == 1.0
    assert not found.noisy


def test_a_single_timing_is_its_own_summary() -> None:
    found = summarise([0.25])
    assert (found.median_s, found.mad_s, found.repeats) == (0.25, 0.0, 1)


@pytest.mark.parametrize("times", [[], [1.0, 0.0], [1.0, float("nan")]])
def test_what_is_no_timing_is_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="positive seconds"):
        summarise(times)


def test_a_sample_survives_json() -> None:
    found = summarise([1.0, 2.0, 4.0])
    assert Sample.from_json(found.to_json()) == found


def test_a_sample_of_an_older_table_keeps_the_five_quantiles_it_has() -> None:
    older = {**summarise([1.0, 2.0]).to_json(), "quantiles": [1.1, 1.25, 1.5, 1.75, 1.9]}
    assert Sample.from_json(older).to_json() == older


def test_ratios_compare_round_by_round_so_that_drift_cancels() -> None:
    drift = np.array([1.0, 2.0, 4.0])
    first, second = ratios_of(np.stack([drift, 3 * drift], axis=1))
    assert (first.median, first.mad) == (1.0, 0.0)
    assert (second.median, second.mad, second.repeats) == (3.0, 0.0, 3)


def test_interleaved_times_have_one_column_per_runner() -> None:
    times = interleaved_times([spinning_for(5e-5), spinning_for(2e-4)], rounds=4)
    assert times.shape == (4, 2)
    assert np.median(times[:, 1] / times[:, 0]) == pytest.approx(4.0, rel=0.2)


def test_rounds_go_on_for_the_seconds_asked_for() -> None:
    started = time.perf_counter()
    found = time_interleaved([spinning_for(5e-5)], rounds=1, min_seconds=0.05)[0]
    assert time.perf_counter() - started >= 0.05
    assert found.repeats > 1
    assert found.median_s == pytest.approx(5e-5, rel=0.2)


def test_a_ratio_says_how_much_slower_than_the_first_a_runner_is() -> None:
    _, ratio = ratio_to_first([spinning_for(1e-4), spinning_for(5e-5)], rounds=9)
    assert ratio.median == pytest.approx(0.5, rel=0.1)


def test_timing_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected runners"):
        interleaved_times([])
