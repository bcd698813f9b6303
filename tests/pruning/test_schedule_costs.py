from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from made_up_tables import made_up_calibration, made_up_price, made_up_table
from torch import nn

from autoprune.errors import ModelError, TableError
from autoprune.pruning.cost import CostModel
from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import read_network
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import prune
from benchmarks.random_schedules import random_kept, random_widths

NETWORKS = ["autoprune:resnet20", "autoprune:vgg16_bn", "torchvision:mobilenet_v2", "grouped"]


def counted_macs(model: nn.Module, example: torch.Tensor) -> int:
    """Multiply-adds counted as the layers run."""
    total = 0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal total
        total += output[0].numel() * layer.get_parameter("weight")[0].numel()

    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        model(example)
    for handle in handles:
        handle.remove()
    return total


@pytest.mark.parametrize("name", NETWORKS)
def test_macs_and_parameters_are_those_of_the_really_pruned_network(
    name: str, case: Callable[[str], Any]
) -> None:
    subject = case(name)
    cost = CostModel(subject.space, subject.network)
    kept = [random_kept(subject.space, seed) for seed in range(3)]
    kept.append({g.name: torch.arange(g.units) for g in subject.space.groups})
    kept.append({g.name: torch.arange(g.choices[0]) for g in subject.space.groups})
    widths = np.array([subject.space.widths(each) for each in kept], dtype=np.float64)
    for each, macs, params in zip(kept, cost.macs(widths), cost.params(widths), strict=True):
        pruned = prune(subject.model, subject.space, each)
        assert macs == counted_macs(pruned, subject.example)
        assert params == sum(parameter.numel() for parameter in pruned.parameters())


def test_full_resnet20_has_the_macs_counted_by_hand(resnet20: Any) -> None:
    stem, classes = 32 * 32 * 9 * 3 * 16, 64 * 5
    first = 6 * 32 * 32 * 9 * 16 * 16
    second = 16 * 16 * 9 * (16 * 32 + 5 * 32 * 32)
    third = 8 * 8 * 9 * (32 * 64 + 5 * 64 * 64)
    full = [[group.units for group in resnet20.space.groups]]
    macs = CostModel(resnet20.space, resnet20.network).macs(full)
    assert macs.tolist() == [stem + first + second + third + classes]


def test_a_sum_is_the_price_of_every_operator_of_the_pruned_network(resnet20: Any) -> None:
    space, network = resnet20.space, resnet20.network
    cost = CostModel(space, network, made_up_table(network.operators()))
    rng = np.random.default_rng(0)
    schedules = [random_widths(space, rng) for _ in range(4)]
    rows = np.array([[each[group.name] for group in space.groups] for each in schedules])
    for row, got in zip(rows, cost.sums(rows), strict=True):
        kept = {g.name: torch.arange(w) for g, w in zip(space.groups, row, strict=True)}
        pruned = prune(resnet20.model, space, kept)
        # Read anew, with nothing to prune: every channel count comes from the tensors themselves.
        terms = read_network(pruned, resnet20.example, SearchSpace(())).terms
        expected = sum(made_up_price(term.operator) for term in terms)
        # The table folds batch norms into biases, which these prices do not look at.
        assert got == pytest.approx(expected, rel=1e-12)


def test_each_row_costs_what_it_costs_alone_and_floats_are_taken(resnet20: Any) -> None:
    cost = CostModel(resnet20.space, resnet20.network, made_up_table(resnet20.network.operators()))
    rng = np.random.default_rng(1)
    rows = np.array([list(random_widths(resnet20.space, rng).values()) for _ in range(5)])
    together = cost.sums(rows.astype(np.float64))
    assert together.shape == (5,)
    assert together.tolist() == [cost.sums(row)[0] for row in rows]


def test_the_calibration_turns_sums_into_latency(resnet20: Any) -> None:
    table = made_up_table(resnet20.network.operators())
    law = made_up_calibration(0.5, 1e-5)
    full = [[group.units for group in resnet20.space.groups]]
    plain = CostModel(resnet20.space, resnet20.network, table)
    calibrated = CostModel(resnet20.space, resnet20.network, table, law)
    assert plain.latency(full)[0] == plain.sums(full)[0]
    assert calibrated.sums(full)[0] == plain.sums(full)[0]
    assert calibrated.latency(full)[0] == pytest.approx(0.5 * plain.sums(full)[0] + 1e-5)


def test_a_thinned_table_is_interpolated_and_says_so(resnet20: Any) -> None:
    space, network = resnet20.space, resnet20.network
    whole = CostModel(space, network, made_up_table(network.operators()))
    thin = CostModel(space, network, made_up_table(network.operators(points=3)))
    full = np.array([[group.units for group in space.groups]])
    between = np.array([[group.choices[2] for group in space.groups]])
    assert whole.interpolated_share() == 0.0
    assert 0.5 < thin.interpolated_share() < 1.0
    assert thin.interpolated_share(full) == 0.0
    assert thin.interpolated_share(between) == 1.0
    # These prices are convex in the width, so a line between two of them lies above.
    assert 1.0 < thin.sums(between)[0] / whole.sums(between)[0] < 1.2


def test_an_operator_that_several_groups_feed_is_priced_between_measured_totals(
    grouped: Any,
) -> None:
    space = find_groups(grouped.model, grouped.example, min_keep=0.4)
    network = read_network(grouped.model, grouped.example, space)
    cost = CostModel(space, network, made_up_table(network.operators(points=8)))
    assert 0.0 < cost.interpolated_share() < 0.9
    rng = np.random.default_rng(0)
    rows = [list(random_widths(space, rng).values()) for _ in range(50)]
    assert np.isfinite(cost.sums(rows)).all()


def test_the_floor_is_explained_by_its_costliest_operators(resnet20: Any) -> None:
    cost = CostModel(resnet20.space, resnet20.network, made_up_table(resnet20.network.operators()))
    terms = cost.explain_floor()
    floor = [[group.choices[0] for group in resnet20.space.groups]]
    assert sum(term.seconds for term in terms) == pytest.approx(cost.sums(floor)[0])
    assert terms == sorted(terms, key=lambda term: -term.seconds)
    assert {"conv1", "linear", "layer2.0.shortcut"} <= {term.layer for term in terms}
    assert "conv3x3 3->2 at 32x32" in {term.operator for term in terms}


def test_a_missing_price_names_the_layer(resnet20: Any) -> None:
    operators = {op for op in resnet20.network.operators() if op.kind != "channel_map"}
    with pytest.raises(TableError, match=r"'layer2\.0\.shortcut': no latency for channel_map"):
        CostModel(resnet20.space, resnet20.network, made_up_table(operators))


def test_latency_without_a_table_and_illegal_widths_are_refused(resnet20: Any) -> None:
    cost = CostModel(resnet20.space, resnet20.network)
    full = [group.units for group in resnet20.space.groups]
    with pytest.raises(TableError, match="no latency table"):
        cost.latency([full])
    with pytest.raises(ModelError, match="'conv1': width 1 is not one of"):
        cost.macs([[1, *full[1:]]])
    with pytest.raises(ModelError, match="'conv1': width 99 is not one of"):
        cost.params([full, [99, *full[1:]]])
    with pytest.raises(ModelError, match="expected 12 widths a schedule, got 3"):
        cost.params([full[:3]])


def test_weights_beyond_the_cache_are_priced_cold(resnet20: Any) -> None:
    """Three sums brought together by the law equal what the law says of a whole array."""
    hot = made_up_table(resnet20.network.operators())
    cold = [replace(e, cold_s=1.5 * e.sample.median_s) for e in hot.entries]
    table = replace(hot, entries=tuple(cold))
    far, near = made_up_calibration(1.0, 0.0, 1e5), made_up_calibration(1.0, 0.0)
    rows = np.array([[g.units for g in resnet20.space.groups]])
    plain = CostModel(resnet20.space, resnet20.network, table, near)
    paying = CostModel(resnet20.space, resnet20.network, table, far)
    weights = 4 * plain.params(rows)[0]
    missing = weights**2 / (weights**2 + 1e10)
    assert paying.latency(rows)[0] == pytest.approx((1 + 0.5 * missing) * plain.latency(rows)[0])
