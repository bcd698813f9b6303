from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
import torch

from autoprune.errors import ModelError, UnknownNameError
from autoprune.pruning.criteria import ENTRY_POINTS, choose_units, registry, unit_norms


def full_widths(space: Any) -> dict[str, int]:
    return {group.name: group.units for group in space.groups}


def test_l2_keeps_the_units_with_the_largest_filters_over_all_producers(resnet20: Any) -> None:
    state = {name: tensor.clone() for name, tensor in resnet20.model.state_dict().items()}
    for number in range(3):
        state[f"layer1.{number}.conv2.weight"][[4, 9]] *= 3
    kept = choose_units("l2", state, resnet20.space, {**full_widths(resnet20.space), "conv1": 2})
    assert kept["conv1"].tolist() == [4, 9]
    assert kept["layer3.2.conv1"].tolist() == list(range(64))


def test_unit_norms_are_squared_l2_norms_summed_over_tied_producers(resnet20: Any) -> None:
    state = resnet20.model.state_dict()
    producers = ["conv1", *(f"layer1.{block}.conv2" for block in range(3))]
    expected = sum(state[f"{name}.weight"].double().square().sum((1, 2, 3)) for name in producers)
    norms = unit_norms(state, resnet20.space)
    assert norms["conv1"].dtype == np.float64
    np.testing.assert_allclose(norms["conv1"], expected.numpy(), rtol=1e-12)


def test_norms_of_units_of_a_grouped_convolution_count_one_channel_of_each_group(
    grouped: Any,
) -> None:
    weight = grouped.model.state_dict()["stem.weight"].double()
    expected = weight.square().sum((1, 2, 3)).reshape(3, 4).sum(0)
    norms = unit_norms(grouped.model.state_dict(), grouped.space)
    np.testing.assert_allclose(norms["stem"], expected.numpy(), rtol=1e-12)


def test_ties_go_to_the_lower_index(resnet20: Any) -> None:
    state = {name: torch.ones_like(t) for name, t in resnet20.model.state_dict().items()}
    for criterion in ("l1", "l2", "bn_scale"):
        kept = choose_units(
            criterion, state, resnet20.space, {**full_widths(resnet20.space), "conv1": 5}
        )
        assert kept["conv1"].tolist() == [0, 1, 2, 3, 4]


def test_units_are_chosen_among_those_a_parent_kept(resnet20: Any) -> None:
    state = resnet20.model.state_dict()
    floor = {group.name: group.choices[0] for group in resnet20.space.groups}
    parent = choose_units("random", state, resnet20.space, {n: 2 * w for n, w in floor.items()})
    child = choose_units("l1", state, resnet20.space, floor, within=parent)
    for name, units in child.items():
        assert len(units) == floor[name]
        assert set(units.tolist()) < set(parent[name].tolist())
    with pytest.raises(ModelError, match="'conv1': expected a width from 1 to 4, got 5"):
        choose_units("l1", state, resnet20.space, {**floor, "conv1": 5}, within=parent)


def test_random_is_the_same_each_time_and_differs_between_groups(resnet20: Any) -> None:
    widths = {group.name: group.units // 2 for group in resnet20.space.groups}
    first = choose_units("random", resnet20.model.state_dict(), resnet20.space, widths)
    again = choose_units("random", resnet20.model.state_dict(), resnet20.space, widths)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert len({tuple(first[f"layer1.{b}.conv1"].tolist()) for b in range(3)}) == 3


def test_batch_norm_scale_ranks_by_the_size_of_the_scale_and_needs_one(
    resnet20: Any, grouped: Any
) -> None:
    state = dict(resnet20.model.state_dict())
    scale = torch.linspace(0.1, 0.2, 16)
    scale[3] = -5.0
    state["layer1.0.bn1.weight"] = scale
    widths = {**full_widths(resnet20.space), "layer1.0.conv1": 2}
    kept = choose_units("bn_scale", state, resnet20.space, widths)
    assert kept["layer1.0.conv1"].tolist() == [3, 15]
    with pytest.raises(ModelError, match="'side' has no batch norm"):
        choose_units(
            "bn_scale",
            grouped.model.state_dict(),
            grouped.space,
            {**full_widths(grouped.space), "side": 2},
        )


def last_units(state: Any, group: Any) -> Any:
    return np.arange(group.units, dtype=np.float64)


def test_another_package_can_add_a_criterion(
    resnet20: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("last", f"{__name__}:last_units", ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    widths = {**full_widths(resnet20.space), "conv1": 2}
    kept = choose_units("last", resnet20.model.state_dict(), resnet20.space, widths)
    assert kept["conv1"].tolist() == [14, 15]
    with pytest.raises(UnknownNameError, match=r"there is: bn_scale, fpgm, .*, lamp, last, mean, "):
        choose_units("first", resnet20.model.state_dict(), resnet20.space, widths)
