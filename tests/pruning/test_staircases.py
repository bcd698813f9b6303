"""Widths that a wider one of their group matches or beats are left out; no other is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from made_up_tables import made_up_price, made_up_table

from autoprune.pruning.cost import CostModel
from autoprune.pruning.staircases import ALMOST, drop_dominated
from latency_tables.operators import Operator
from latency_tables.table import Entry, Table

NETWORKS = ["autoprune:resnet20", "grouped"]
Price = Callable[[Operator], float]


@cache
def priced(case: Any, price: Price) -> CostModel:
    """A cost model whose prices are those of made-up tables, times a factor of one's own."""
    table = made_up_table(case.network.operators())
    entries = []
    for entry in table.entries:
        seconds = entry.sample.median_s * price(entry.operator)
        entries.append(Entry(entry.operator, replace(entry.sample, median_s=seconds)))
    return CostModel(case.space, case.network, Table(table.context, tuple(entries)))


def plain(op: Operator) -> float:
    return 1.0


def in_blocks_of_four(op: Operator) -> float:
    """Channels that fill no block of four cost half as much again."""
    return 1.0 + 0.5 * (op.out_channels % 4 != 0) + 0.5 * (op.in_channels % 4 != 0)


def shaken(op: Operator) -> float:
    """Every width is dearer or cheaper than it should be, each by its own."""
    factors = np.random.default_rng(0).uniform(0.5, 1.5, 200)
    return float(factors[op.in_channels % 200] * factors[op.out_channels % 200])


@pytest.mark.parametrize("price", [in_blocks_of_four, shaken])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_schedule_is_faster_with_a_width_that_was_left_out(
    name: str, price: Price, case: Callable[[str], Any]
) -> None:
    subject = case(name)
    cost = priced(subject, price)
    found = drop_dominated(subject.space, [cost])
    rng = np.random.default_rng(0)
    positions = {group.name: at for at, group in enumerate(subject.space.groups)}
    assert found.dropped
    for step in found.dropped:
        rows = np.stack([rng.choice(group.choices, 40) for group in subject.space.groups], axis=1)
        rows[:, positions[step.group]] = step.width
        wider = rows.copy()
        wider[:, positions[step.group]] = step.wider
        slower = cost.sums(wider) - cost.sums(rows)
        assert np.all(slower <= 1e-12 * cost.sums(rows)), step
        assert step.extra <= 0


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_left_is_the_rest_and_the_full_width(name: str, case: Callable[[str], Any]) -> None:
    subject = case(name)
    found = drop_dominated(subject.space, [priced(subject, shaken)])
    for before, after in zip(subject.space.groups, found.space.groups, strict=True):
        left_out = {step.width for step in found.dropped if step.group == before.name}
        assert after == replace(before, choices=after.choices)
        assert set(after.choices) | left_out == set(before.choices)
        assert not set(after.choices) & left_out
        assert after.choices[-1] == before.units
        assert {s.wider for s in found.dropped if s.group == before.name} <= set(after.choices)


def test_prices_that_rise_with_the_width_leave_every_width(resnet20: Any) -> None:
    found = drop_dominated(resnet20.space, [priced(resnet20, plain)])
    assert found.space == resnet20.space
    assert found.dropped == ()


def test_widths_that_fill_no_block_are_named_with_the_next_that_does(resnet20: Any) -> None:
    found = drop_dominated(resnet20.space, [priced(resnet20, in_blocks_of_four)])
    inner = next(group for group in found.space.groups if group.name == "layer1.0.conv1")
    assert 7 not in inner.choices
    assert 8 in inner.choices
    assert "layer1.0.conv1: 7 costs more than 8" in [str(step) for step in found.dropped]


def test_a_width_is_left_out_only_where_it_pays_on_no_device(resnet20: Any) -> None:
    bumpy, smooth = priced(resnet20, in_blocks_of_four), priced(resnet20, plain)
    assert drop_dominated(resnet20.space, [bumpy]).dropped
    assert drop_dominated(resnet20.space, [bumpy, smooth]).dropped == ()


def test_a_wider_width_that_costs_next_to_nothing_is_free(resnet20: Any) -> None:
    """Prices that rise a little from width to width: all stay, and are named."""

    def nearly_level(op: Operator) -> float:
        return (1.0 + 0.8 * ALMOST * (op.in_channels + op.out_channels)) / made_up_price(op)

    found = drop_dominated(resnet20.space, [priced(resnet20, nearly_level)])
    assert found.dropped == ()
    (named,) = (s for s in found.free if (s.group, s.width) == ("layer1.0.conv1", 2))
    assert 0 < named.extra <= ALMOST
    assert str(named) == f"layer1.0.conv1: 3 costs at most {named.extra:.1%} more than 2"
