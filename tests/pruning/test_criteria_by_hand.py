"""Every criterion on groups small enough to work its scores out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint
from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch

from autoprune.errors import ModelError
from autoprune.pruning.criteria import (
    CRITERIA,
    ENTRY_POINTS,
    GradientCriterion,
    Ranking,
    choose_units,
    needs_gradients,
    registry,
)
from autoprune.pruning.space import IndexSlice, PruningGroup, SearchSpace

ONE_EACH = torch.arange(3)[:, None]
HUGE = 1000.0

TIED = PruningGroup(
    "a",
    3,
    (1, 2, 3),
    (
        IndexSlice("a.weight", 0, ONE_EACH, "output"),
        IndexSlice("a.bias", 0, ONE_EACH, "output"),
        IndexSlice("depthwise.weight", 0, ONE_EACH, "through"),
        IndexSlice("b.weight", 0, ONE_EACH, "output"),
        IndexSlice("c.weight", 1, ONE_EACH, "input"),
    ),
    ("a", "b"),
)
"""Two producers whose outputs are added, and one consumer."""

TIED_STATE = {
    "a.weight": torch.tensor([[3.0, -4.0], [1.0, 2.0], [0.0, 1.0]]),
    "a.bias": torch.tensor([0.0, 0.0, HUGE]),
    "depthwise.weight": torch.tensor([0.0, 0.0, HUGE]).reshape(3, 1, 1, 1),
    "b.weight": torch.tensor([[2.0], [-2.0], [1.0]]),
    "c.weight": torch.tensor([[1.0, 0.0, 2.0], [-1.0, 2.0, 2.0]]),
}
TIED_GRADIENTS = {
    "a.weight": torch.tensor([[1.0, 1.0], [2.0, -1.0], [0.0, 3.0]]),
    "a.bias": torch.full((3,), HUGE),
    "depthwise.weight": torch.full((3, 1, 1, 1), HUGE),
    "b.weight": torch.tensor([[1.0], [1.0], [-2.0]]),
    "c.weight": torch.full((2, 3), HUGE),
}
TIED_SCORES = {
    "l1": [7 + 2, 3 + 2, 1 + 1],
    "sum_abs": [7 + 2, 3 + 2, 1 + 1],
    "l2": [25 + 4, 5 + 4, 1 + 1],
    "sum": [1 + 2, 3 + 2, 1 + 1],
    "mean": [0.5 + 2, 1.5 + 2, 0.5 + 1],
    "mean_abs": [3.5 + 2, 1.5 + 2, 0.5 + 1],
    "group_lasso": [sqrt(25 + 4 + 2), sqrt(5 + 4 + 4), sqrt(1 + 1 + 8)],
    "lamp": [25 / 25 + 4 / 8, 5 / 30 + 4 / 8, 1 / 31 + 1 / 9],
    "fpgm": [
        sqrt(40) + sqrt(34) + 4 + 1,
        sqrt(40) + sqrt(2) + 4 + 3,
        sqrt(34) + sqrt(2) + 1 + 3,
    ],
    "taylor": [(3 - 4 + 2) ** 2, (2 - 2 - 2) ** 2, (3 - 2) ** 2],
}

PAIRS = torch.tensor([[0, 2], [1, 3]])
GROUPED = PruningGroup(
    "g",
    2,
    (1, 2),
    (
        IndexSlice("g.weight", 0, PAIRS, "output"),
        IndexSlice("grouped.weight", 1, torch.tensor([[0], [1]]), "input"),
        IndexSlice("flat.weight", 1, torch.tensor([[0, 1, 4, 5], [2, 3, 6, 7]]), "input"),
    ),
    ("g",),
)
"""A unit is a channel of each of two groups; a linear layer reads two pixels of each channel."""

GROUPED_STATE = {
    "g.weight": torch.tensor([[1.0, 1.0], [2.0, -2.0], [3.0, 0.0], [0.0, 1.0]])[:, :, None, None],
    "grouped.weight": torch.ones(6, 2, 1, 1),
    "flat.weight": torch.full((2, 8), 0.5),
}
GROUPED_GRADIENTS = {"g.weight": torch.ones(4, 2, 1, 1)}
GROUPED_SCORES = {
    "l1": [2 + 3, 4 + 1],
    "l2": [2 + 9, 8 + 1],
    "sum": [2 + 3, 0 + 1],
    "mean": [1 + 1.5, 0 + 0.5],
    "mean_abs": [1 + 1.5, 2 + 0.5],
    "group_lasso": [sqrt(11 + 6 + 2), sqrt(9 + 6 + 2)],
    "lamp": [11 / 11, 9 / 20],
    "fpgm": [
        (sqrt(10) + sqrt(5) + 1) + (sqrt(5) + sqrt(5) + sqrt(10)),
        (sqrt(10) + sqrt(5) + sqrt(13)) + (1 + sqrt(13) + sqrt(10)),
    ],
    "taylor": [(2 + 3) ** 2, (0 + 1) ** 2],
}


def scores(
    name: str, state: Mapping[str, torch.Tensor], group: PruningGroup, gradients: Any
) -> list[float]:
    criterion = CRITERIA[name]
    if isinstance(criterion, GradientCriterion):
        return criterion.score(state, group, gradients).tolist()
    return criterion(state, group).tolist()


@pytest.mark.parametrize("name", TIED_SCORES)
def test_scores_of_tied_producers_are_those_worked_out(name: str) -> None:
    found = scores(name, TIED_STATE, TIED, TIED_GRADIENTS)
    assert found == pytest.approx(TIED_SCORES[name], rel=1e-12)


@pytest.mark.parametrize("name", GROUPED_SCORES)
def test_scores_of_units_of_several_channels_are_those_worked_out(name: str) -> None:
    found = scores(name, GROUPED_STATE, GROUPED, GROUPED_GRADIENTS)
    assert found == pytest.approx(GROUPED_SCORES[name], rel=1e-12)


@pytest.mark.parametrize("name", TIED_SCORES)
def test_filters_along_another_dimension_score_the_same(name: str) -> None:
    """As those of transposed convolutions lie."""
    turned = [
        replace(place, dim=1) if place.tensor == "a.weight" else place for place in TIED.slices
    ]
    state, gradients = (
        {**tensors, "a.weight": tensors["a.weight"].T} for tensors in (TIED_STATE, TIED_GRADIENTS)
    )
    found = scores(name, state, replace(TIED, slices=tuple(turned)), gradients)
    assert found == pytest.approx(TIED_SCORES[name], rel=1e-12)


def test_every_criterion_was_worked_out_or_has_a_test_of_its_own() -> None:
    assert set(CRITERIA) == {*TIED_SCORES, "bn_scale", "random"}


@pytest.mark.parametrize("name", TIED_SCORES)
def test_units_of_zeros_get_finite_scores(name: str) -> None:
    zeros = {tensor: torch.zeros_like(value) for tensor, value in TIED_STATE.items()}
    assert scores(name, zeros, TIED, zeros) == [0.0, 0.0, 0.0]


def test_units_that_a_parent_lost_are_no_neighbours() -> None:
    state = {**TIED_STATE, "a.weight": torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 4.0]])}
    alone = replace(TIED, slices=TIED.slices[:1])
    assert scores("fpgm", state, alone, None) == [3.0, 5.0 + 4.0, 3.0]


def test_gradients_reach_the_criteria_that_need_them() -> None:
    space = SearchSpace((TIED,))
    kept = choose_units("taylor", TIED_STATE, space, {"a": 1}, gradients=TIED_GRADIENTS)
    assert kept["a"].tolist() == [1]
    assert [name for name in CRITERIA if needs_gradients(name)] == ["taylor"]


def test_a_criterion_without_the_gradients_it_needs_says_so() -> None:
    with pytest.raises(
        ModelError, match=r"'taylor' needs the gradients .* use a criterion without"
    ):
        choose_units("taylor", TIED_STATE, SearchSpace((TIED,)), {"a": 1})


def test_a_weight_without_a_gradient_is_named() -> None:
    without = {name: value for name, value in TIED_GRADIENTS.items() if name != "b.weight"}
    with pytest.raises(ModelError, match=r"group 'a': there is no gradient of 'b\.weight'"):
        choose_units("taylor", TIED_STATE, SearchSpace((TIED,)), {"a": 1}, gradients=without)


def steepest(_state: Any, group: PruningGroup, gradients: Any) -> Any:
    return gradients["b.weight"].double().numpy()[:, 0]


STEEPEST = GradientCriterion(steepest)


def test_another_package_can_add_a_criterion_that_needs_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = EntryPoint("steepest", f"{__name__}:STEEPEST", ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    space = SearchSpace((TIED,))
    kept = choose_units("steepest", TIED_STATE, space, {"a": 2}, gradients=TIED_GRADIENTS)
    assert needs_gradients("steepest")
    assert kept["a"].tolist() == [0, 1]


def test_a_group_is_scored_once_and_only_where_it_is_narrowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scored: list[str] = []

    def counted(_state: Any, group: PruningGroup) -> Any:
        scored.append(group.name)
        return np.arange(float(group.units))

    monkeypatch.setitem(CRITERIA, "counted", counted)
    ranking = Ranking("counted", {}, SearchSpace((TIED, GROUPED)))
    assert ranking.choose({"a": 3, "g": 2})["a"].tolist() == [0, 1, 2]
    assert scored == []
    assert ranking.choose({"a": 2, "g": 2})["a"].tolist() == [1, 2]
    assert ranking.choose({"a": 1, "g": 2})["a"].tolist() == [2]
    assert scored == ["a"]
