from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from latency_tables import MissingOperatorError, Operator, Table

TableOf = Callable[[Mapping[Operator, float]], Table]
CONV = Operator("conv", 64, 64, 16, 16, (3, 3), padding=(1, 1), bias=True, activation="relu")
DEPTHWISE = Operator("conv", 32, 32, 8, 8, (3, 3), padding=(1, 1), groups=32)


def grid(seconds: Callable[[int, int], float], widths: list[int]) -> dict[Operator, float]:
    return {CONV.with_channels(i, o): seconds(i, o) for i in widths for o in widths}


def test_exact_hits_are_the_measurements_and_keep_a_staircase(table_of: TableOf) -> None:
    stairs = {8: 1.0, 12: 4.0, 16: 2.0}
    table = table_of({CONV.with_channels(8, o): value for o, value in stairs.items()})
    for width, value in stairs.items():
        price = table.price(CONV.with_channels(8, width))
        assert (price.seconds, price.source) == (value, "measured")


def test_between_measured_neighbours_prices_are_bilinear_and_say_so(table_of: TableOf) -> None:
    def law(i: int, o: int) -> float:
        return 1.0 + 0.5 * i + 0.25 * o + 0.125 * i * o

    table = table_of(grid(law, [8, 16, 32]))
    seconds, measured = table.prices(CONV, [8, 12, 16], [16, 24, 32])
    expected = [[law(i, o) for o in (16, 24, 32)] for i in (8, 12, 16)]
    np.testing.assert_allclose(seconds, expected, rtol=1e-12)
    np.testing.assert_array_equal(
        measured, [[True, False, True], [False, False, False], [True, False, True]]
    )
    assert table.price(CONV.with_channels(12, 24)).source == "interpolated"


def test_a_hole_in_the_grid_is_bridged(table_of: TableOf) -> None:
    points = grid(lambda i, o: float(i * o), [8, 16, 32])
    del points[CONV.with_channels(16, 16)]
    price = table_of(points).price(CONV.with_channels(16, 16))
    assert price.source == "interpolated"
    assert price.seconds == pytest.approx(256.0)


@pytest.mark.parametrize(("i", "o"), [(4, 8), (64, 8), (8, 4), (8, 64)])
def test_nothing_outside_of_the_measured_widths_is_priced(
    table_of: TableOf, i: int, o: int
) -> None:
    table = table_of(grid(lambda i, o: 1.0, [8, 16]))
    with pytest.raises(MissingOperatorError, match=rf"no latency for conv3x3 {i}->{o} at 16x16"):
        table.price(CONV.with_channels(i, o))


def test_a_missing_width_names_the_nearest_measured_one(table_of: TableOf) -> None:
    table = table_of({CONV.with_channels(64, 56): 1.0, CONV.with_channels(8, 8): 1.0})
    with pytest.raises(MissingOperatorError, match=r"nearest measured 64->56.*latency measure"):
        table.price(CONV.with_channels(64, 48))


def test_an_unknown_operator_is_refused_and_told_apart(table_of: TableOf) -> None:
    table = table_of({CONV: 1.0})
    with pytest.raises(MissingOperatorError, match=r"no width of this operator.*stride=\[2, 2\]"):
        table.price(replace(CONV, stride=(2, 2)))


def test_what_is_asked_is_normalised_as_the_runtime_runs_it(table_of: TableOf) -> None:
    table = table_of({CONV: 1.0})
    unfolded = replace(CONV, bias=False, batch_norm=True)
    assert table.price(unfolded).source == "measured"
    assert table.prices(unfolded, [64], [64])[1].all()


def test_depthwise_convolutions_interpolate_along_equal_widths(table_of: TableOf) -> None:
    table = table_of({DEPTHWISE.with_channels(c, c): float(c) for c in (8, 16, 32)})
    seconds, measured = table.prices_equal(DEPTHWISE, [8, 12, 32])
    np.testing.assert_allclose(seconds, [8.0, 12.0, 32.0])
    assert measured.tolist() == [True, False, True]
    assert table.price(DEPTHWISE.with_channels(24, 24)).seconds == pytest.approx(24.0)


def test_one_channel_is_the_narrowest_depthwise_convolution(table_of: TableOf) -> None:
    table = table_of({DEPTHWISE.with_channels(c, c): float(c) for c in (1, 9)})
    assert table.prices_equal(DEPTHWISE, [1, 5])[0].tolist() == [1.0, 5.0]


def test_a_dense_convolution_says_nothing_of_a_depthwise_one(table_of: TableOf) -> None:
    table = table_of({replace(DEPTHWISE, groups=1): 1.0})
    with pytest.raises(MissingOperatorError):
        table.price(DEPTHWISE)


def test_an_addition_outside_of_the_measured_widths_is_refused(table_of: TableOf) -> None:
    add = Operator("add", 16, 16, 8, 8)
    table = table_of({add: 1.0})
    with pytest.raises(MissingOperatorError, match="nearest measured 16->16"):
        table.prices_equal(add, [16, 24])
