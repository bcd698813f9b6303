"""Budgets that cannot be read, cannot be met, or need no pruning."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Refused = Callable[..., str]
Tiny = tuple[str, ...]


def test_a_latency_under_the_floor_says_the_floor_and_what_makes_it_up(
    refused: Refused, tiny: Tiny
) -> None:
    said = refused(
        3,
        ("'1%'", "under the floor", "ms", "what makes it up", "second.0 (", "--min-keep"),
        *("search", *tiny, "--budget", "1%"),
    )
    assert "FloorTerm" not in said


@pytest.mark.parametrize("budget", ["macs=1%", "macs=10", "params=0.1%", "params=5"])
def test_counts_under_the_floor_are_refused_without_a_table(
    refused: Refused, tiny: Tiny, budget: str
) -> None:
    unpinned = [word for word in tiny if word != "--table" and not word.endswith(".json")]
    refused(3, (budget, "under the floor"), "search", *unpinned, "--budget", budget)


@pytest.mark.parametrize("budget", ["100%", "250%", "1000ms", "macs=100M", "params=100%"])
def test_a_budget_the_unpruned_network_meets_needs_no_pruning(
    refused: Refused, tiny: Tiny, budget: str
) -> None:
    refused(2, (budget, "nothing needs pruning"), "search", *tiny, "--budget", budget)


@pytest.mark.parametrize(
    "budget",
    ["", "half", "50", "-5%", "0%", "nan%", "50%%", "energy=50%", "5 miles", "macs=", "1e"],
)
def test_a_budget_that_cannot_be_read_says_how_to_write_one(
    refused: Refused, tiny: Tiny, budget: str
) -> None:
    said = refused(2, (f"{budget!r}",), "search", *tiny, "--budget", budget)
    assert "50%" in said or "is not one of" in said or "latency, macs, params" in said


def test_one_thing_bounded_twice_is_refused(refused: Refused, tiny: Tiny) -> None:
    refused(2, ("twice",), "search", *tiny, "--budget", "50%", "--budget", "40%")
