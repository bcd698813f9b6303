from __future__ import annotations

import numpy as np
import pytest

from latency_tables import Calibration, CalibrationError, NetworkSums, fit

SUMS = np.linspace(2e-4, 2e-3, 15)


def test_a_known_affine_law_is_recovered() -> None:
    found = fit("t", "net", SUMS, 1.2 * SUMS - 8e-5, 0.0)
    assert found.law.scale == pytest.approx(1.2, rel=1e-4)
    assert found.law.offset_s == pytest.approx(-8e-5, rel=1e-3)
    assert found.worst < 1e-4
    assert found.margin < 1e-4
    assert found.spearman == pytest.approx(1.0)
    np.testing.assert_allclose(found.predict(SUMS), 1.2 * SUMS - 8e-5, rtol=1e-4)


def test_one_disturbed_network_hardly_moves_the_law_and_shows_as_the_worst() -> None:
    measured = 1.1 * SUMS + 5e-5
    measured[7] *= 1.5
    found = fit("t", "net", SUMS, measured, 0.0)
    assert found.law.scale == pytest.approx(1.1, rel=0.02)
    assert found.worst == pytest.approx(1 / 3, rel=0.05)
    assert found.mape == pytest.approx(found.worst / 15, rel=0.5)


def test_errors_are_of_networks_held_out_of_the_fit() -> None:
    """The law of all but the last network is exact, so its error shows in full."""
    sums = np.array([1.0, 2.0, 3.0, 4.0, 8.0])
    measured = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    assert fit("t", "net", sums, measured, 0.0).worst == pytest.approx(0.2, abs=1e-3)


def test_the_margin_covers_nine_of_ten_networks() -> None:
    rng = np.random.default_rng(0)
    measured = SUMS * (1 + rng.normal(0, 0.03, len(SUMS)))
    found = fit("t", "net", SUMS, measured, 0.0)
    assert 0.01 < found.margin < 0.08
    assert np.mean(found.predict(SUMS) * (1 - found.margin) > measured) < 0.5
    assert np.mean(measured * (1 - found.margin) <= found.predict(SUMS)) >= 0.85


def test_predictions_stay_positive_and_increase_below_the_smallest_network() -> None:
    found = fit("t", "net", SUMS, 1.2 * SUMS - 2e-4, 0.0)
    predicted = found.predict(np.linspace(1e-6, 3e-3, 200))
    assert np.all(predicted > 0)
    assert np.all(np.diff(predicted) > 0)


def test_measurements_that_fall_with_the_sum_still_give_an_increasing_law() -> None:
    found = fit("t", "net", SUMS, 3e-3 - SUMS, 0.0)
    assert found.law.scale > 0
    assert found.spearman < 0


def test_networks_of_one_size_are_priced_in_proportion() -> None:
    found = fit("t", "net", [1.0] * 5, [1.9, 2.0, 2.0, 2.1, 2.0], 0.0)
    assert found.predict([1.0, 0.5]).tolist() == [2.0, 1.0]


def test_a_calibration_survives_json_and_describes_itself() -> None:
    found = fit("t", "resnet20", SUMS, 1.2 * SUMS - 8e-5, 0.004)
    assert Calibration.from_json(found.to_json()) == found
    line = found.describe()
    assert "\n" not in line
    assert line.startswith("resnet20: latency = 1.200 x sum -80 us +0 us/MB over 15 networks")
    assert "repeats differ by 0.4%" in line


@pytest.mark.parametrize(
    ("sums", "measured"),
    [([1.0] * 3, [1.0] * 3), ([1.0] * 5, [1.0] * 4), ([1.0] * 5, [1.0, 1.0, 1.0, 1.0, 0.0])],
)
def test_runs_that_say_nothing_are_refused(sums: list[float], measured: list[float]) -> None:
    with pytest.raises(CalibrationError):
        fit("t", "net", sums, measured, 0.0)


def networks_with_weights(cache: float) -> tuple[NetworkSums, np.ndarray]:
    """Networks of 0.3 to 40 MB, and what they take with a cache of so many bytes."""
    weights = np.geomspace(3e5, 4e7, 24)
    hot = 1e-4 + weights * np.random.default_rng(0).uniform(0.8e-10, 1.2e-10, 24)
    cold = hot + weights * 1e-10
    missing = 1 / (1 + (cache / weights) ** 2)
    return NetworkSums(hot, cold, weights), 1.1 * (hot + missing * (cold - hot)) + 2e-5


def test_weights_that_do_not_fit_the_cache_are_seen() -> None:
    sums, measured = networks_with_weights(8 << 20)
    found = fit("t", "net", sums, measured, 0.0)
    assert found.law.cache_bytes == 8 << 20
    assert found.worst < 0.01
    blind = fit("t", "net", sums.hot, measured, 0.0)
    assert blind.worst > 5 * found.worst


def test_a_cache_is_not_believed_in_without_reason() -> None:
    sums, measured = networks_with_weights(np.inf)
    assert np.isinf(fit("t", "net", sums, measured, 0.0).law.cache_bytes)


def test_weights_that_cost_extra_are_priced_by_the_byte() -> None:
    sums, measured = networks_with_weights(np.inf)
    found = fit("t", "net", sums, measured + 3e-11 * sums.weight_bytes, 0.0)
    assert found.law.seconds_per_byte == pytest.approx(3e-11, rel=0.05)
    assert found.worst < 0.01
