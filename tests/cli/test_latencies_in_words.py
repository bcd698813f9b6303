"""Latencies for people: four significant digits, however small they are."""

from __future__ import annotations

import pytest

from autoprune.budget import describe, milliseconds


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0.0, "0 ms"),
        (1.23456e-8, "0.00001235 ms"),
        (4.5678e-5, "0.04568 ms"),
        (0.008, "8 ms"),
        (0.0123456, "12.35 ms"),
        (12.3456, "12350 ms"),
    ],
)
def test_a_latency_has_four_significant_digits_and_no_exponent(seconds: float, says: str) -> None:
    assert milliseconds(seconds) == says
    assert describe("latency", seconds) == says
