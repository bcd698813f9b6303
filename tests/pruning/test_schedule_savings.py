"""What each group saves, and the sum over pairs of groups that it is read from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up_tables import made_up_calibration, made_up_table

from autoprune.errors import ModelError
from autoprune.pruning.cost import CostModel
from autoprune.pruning.table_sum import BLOCK
from latency_tables.calibration import Calibration
from latency_tables.table import Table

NETWORKS = ["autoprune:resnet20", "grouped"]


def priced(subject: Any, calibration: Calibration | None = None) -> CostModel:
    table = made_up_table(subject.network.operators())
    return CostModel(subject.space, subject.network, table, calibration)


def random_rows(subject: Any, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([rng.choice(g.choices, count) for g in subject.space.groups], axis=1)


def full_row(subject: Any) -> np.ndarray:
    return np.array([[group.units for group in subject.space.groups]])


def plain_sum(subject: Any, table: Table, row: np.ndarray) -> float:
    """Every operator at its channels, one after the other."""
    return sum(
        table.price(op.with_channels(term.inputs.at(row), term.outputs.at(row))).seconds
        for term in subject.network.terms
        for op in [term.operator]
    )


@pytest.fixture(scope="module")
def cost(resnet20: Any) -> CostModel:
    return priced(resnet20)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_sum_over_many_blocks_is_the_plain_sum_over_operators(
    name: str, case: Callable[[str], Any]
) -> None:
    subject = case(name)
    table = made_up_table(subject.network.operators())
    rows = random_rows(subject, BLOCK + 3)
    sums = CostModel(subject.space, subject.network, table).sums(rows)
    for at in (0, 1, BLOCK - 1, BLOCK, BLOCK + 2):
        assert sums[at] == pytest.approx(plain_sum(subject, table, rows[at]), rel=1e-12, abs=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_pair_grids_add_up_to_the_sum(name: str, case: Callable[[str], Any]) -> None:
    subject = case(name)
    cost = priced(subject)
    for row, expected in zip(
        random_rows(subject, 5), cost.sums(random_rows(subject, 5)), strict=True
    ):
        found = 0.0
        for grid in cost.pair_grids():
            first = np.flatnonzero(grid.first_totals == grid.first.at(row))
            second = np.flatnonzero(grid.second_totals == grid.second.at(row))
            found += grid.seconds[first[0], second[0]]
        assert found == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_savings_add_up_to_the_predicted_saving(name: str, case: Callable[[str], Any]) -> None:
    subject = case(name)
    plain = priced(subject)
    near = made_up_calibration(0.7, 1e-4)
    small_cache = made_up_calibration(0.7, 1e-4, cache_bytes=1e3)
    rows = random_rows(subject, 20)
    full = full_row(subject)
    calibrated = priced(subject, near)
    for cost in (plain, calibrated, priced(subject, small_cache)):
        saved = cost.latency(full)[0] - cost.latency(rows)
        assert cost.savings(rows).sum(axis=1) == pytest.approx(saved, rel=1e-9, abs=0)
    assert calibrated.savings(rows) == pytest.approx(0.7 * plain.savings(rows), rel=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_layers_share_is_of_its_own_operators_prices(
    name: str, case: Callable[[str], Any]
) -> None:
    """At any schedule: each share is a plain sum over one layer, by the plain sum over all."""
    subject = case(name)
    table = made_up_table(subject.network.operators())
    cost = priced(subject)
    for row in random_rows(subject, 3):
        shares = cost.layer_shares(row)
        assert sum(shares.values()) == pytest.approx(1.0)
        total = plain_sum(subject, table, row)
        for layer, share in shares.items():
            own = sum(
                table.price(op.with_channels(term.inputs.at(row), term.outputs.at(row))).seconds
                for term in subject.network.terms
                for op in [term.operator]
                if term.layer == layer
            )
            assert share == pytest.approx(own / total, rel=1e-9, abs=0)


def test_sums_taken_together_are_those_taken_alone(resnet20: Any, cost: CostModel) -> None:
    rows = random_rows(resnet20, 7)
    together = cost.network_sums(rows)
    assert together.hot == pytest.approx(cost.sums(rows), rel=1e-12, abs=0)
    # The made-up table has no cold prices of its own; every parameter is a float of four bytes.
    assert together.cold == pytest.approx(cost.sums(rows), rel=1e-12, abs=0)
    assert together.weight_bytes == pytest.approx(4 * cost.params(rows), rel=1e-12)


def test_a_group_at_full_width_saves_nothing_and_one_narrowed_alone_saves_all(
    resnet20: Any, cost: CostModel
) -> None:
    full = full_row(resnet20)
    assert not cost.savings(full).any()
    for position, group in enumerate(resnet20.space.groups):
        row = full.copy()
        row[0, position] = group.choices[1]
        saved = cost.savings(row)[0]
        assert saved[position] == pytest.approx(
            (cost.sums(full) - cost.sums(row))[0], rel=1e-9, abs=0
        )
        assert np.delete(saved, position) == pytest.approx(0.0, abs=1e-18)


def test_two_groups_share_what_neither_saves_alone_equally(resnet20: Any, cost: CostModel) -> None:
    full = full_row(resnet20)
    rows = np.repeat(full, 3, axis=0)
    rows[0, 0] = rows[2, 0] = resnet20.space.groups[0].choices[2]
    rows[1, 1] = rows[2, 1] = resnet20.space.groups[1].choices[4]
    first, second, both = (cost.sums(full) - cost.sums(rows)).tolist()
    shares = cost.savings(rows[2])[0]
    assert both != pytest.approx(first + second)
    assert shares[0] == pytest.approx((first + both - second) / 2, rel=1e-9, abs=0)
    assert shares[1] == pytest.approx((second + both - first) / 2, rel=1e-9, abs=0)


def test_an_illegal_width_beside_others_in_a_concatenation_is_refused_by_name(
    grouped: Any,
) -> None:
    cost = priced(grouped)
    full = full_row(grouped)[0]
    position = next(k for k, g in enumerate(grouped.space.groups) if g.name == "side")
    for width in (0, -3, 10**9, int(full[position]) + 1):
        row = full.copy()
        row[position] = width
        with pytest.raises(ModelError, match=f"'side': width {width} is not one of"):
            cost.sums([full, row])
