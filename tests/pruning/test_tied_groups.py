"""Groups that a user ties are one: sliced, ranked and priced together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from attention_networks import network, vit
from made_up_tables import made_up_price, made_up_table
from pruning_cases import shaken
from torch import nn

from autoprune.errors import InputError
from autoprune.models.attention import prunable_attention
from autoprune.models.registry import build_model
from autoprune.pruning.cost import CostModel
from autoprune.pruning.criteria import unit_norms
from autoprune.pruning.groups import find_groups
from autoprune.pruning.masking import masked_state
from autoprune.pruning.network import read_network
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import fit, prune
from benchmarks.random_schedules import random_kept


class SideBySide(nn.Module):
    """Two branches that one convolution reads next to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 3, padding=1)
        self.norm, self.merge = nn.BatchNorm2d(16), nn.Conv2d(16, 6, 1)
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(torch.cat([self.left(x), self.right(x)], dim=1))
        return self.head(torch.relu(self.merge(torch.relu(x))))


class Normalised(nn.Module):
    """The first layer's units cannot be pruned: a softmax ties them to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.third(torch.relu(self.second(torch.softmax(self.first(x), dim=1))))


@dataclass(frozen=True)
class Tied:
    model: nn.Module
    example: torch.Tensor
    plain: SearchSpace
    space: SearchSpace


STREAM = ["conv1", "layer1.?.conv1"]


def tied(name: str) -> Tied:
    if name == "vit":
        model, example = network("vit")
        model = prunable_attention(model)
    elif name == "side by side":
        model, example = SideBySide().eval(), torch.randn(2, 3, 6, 6)
    else:
        model, example = build_model("autoprune:digits_cnn", classes=10), torch.randn(2, 1, 8, 8)
    shaken(model, torch.randn(4, *example.shape[1:]))
    plain = find_groups(model, example)
    heads = [group.name for group in plain.groups if group.name.endswith("attention")]
    lists = {"vit": [heads], "side by side": [["left", "right"]], "digits": [STREAM]}
    return Tied(model, example, plain, find_groups(model, example, tied=lists[name]))


NETWORKS = ["digits", "side by side", "vit"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_without_units_of_a_tied_group_computes_what_the_masked_one_does(
    name: str,
) -> None:
    case = tied(name)
    assert len(case.space.groups) < len(case.plain.groups)
    assert len(case.space.left_out) == len(case.plain.left_out)
    for seed in range(3):
        kept = random_kept(case.space, seed)
        state = dict(case.model.state_dict())
        for group in case.space.groups:
            state = masked_state(state, group, kept[group.name])
        with torch.no_grad():
            expected = fit(case.model, state)(case.example)
            got = prune(case.model, case.space, kept)(case.example)
        assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_tied_network_costs_what_the_really_pruned_one_does(name: str) -> None:
    case = tied(name)
    read = read_network(case.model, case.example, case.space)
    cost = CostModel(case.space, read, made_up_table(read.operators()))
    for seed in range(3):
        kept = random_kept(case.space, seed)
        widths = np.array([case.space.widths(kept)], dtype=np.float64)
        pruned = prune(case.model, case.space, kept)
        terms = read_network(pruned, case.example, SearchSpace(())).terms
        expected = sum(made_up_price(term.operator) for term in terms)
        assert cost.sums(widths)[0] == pytest.approx(expected, rel=1e-12)
        assert cost.params(widths)[0] == sum(p.numel() for p in pruned.parameters())


def test_tied_groups_are_one_and_its_units_are_ranked_together() -> None:
    case = tied("digits")
    groups = {group.name: group for group in case.space.groups}
    joint, plain = groups["conv1"], {group.name: group for group in case.plain.groups}
    members = ["conv1", "layer1.0.conv1", "layer1.1.conv1"]
    assert not set(members[1:]) & groups.keys()
    assert set(joint.producers) == {layer for name in members for layer in plain[name].producers}
    state = case.model.state_dict()
    alone = unit_norms(state, case.plain)
    together = unit_norms(state, case.space)["conv1"]
    np.testing.assert_allclose(together, sum(alone[name] for name in members), rtol=1e-6)


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        (
            [["layer1.0.conv1", "layer2.0.conv1"]],
            "'layer1.0.conv1' with 24.*'layer2.0.conv1'",
        ),
        ([["layer1.0.conv1", "layr1.*"]], "'layr1.*' matches no layer"),
        ([["conv1", "layer1.0.conv2"]], "two groups.*'conv1' alone"),
        ([["conv1", "linear"]], "'linear'; linear is left whole: .*output of the network"),
    ],
)
def test_layers_that_cannot_be_tied_are_refused(lists: list[list[str]], says: str) -> None:
    model, example = build_model("autoprune:digits_cnn", classes=10), torch.randn(1, 1, 8, 8)
    with pytest.raises(InputError, match=says):
        find_groups(model, example, tied=lists)


def test_a_group_that_is_unsound_by_itself_is_not_hidden_in_a_tied_one() -> None:
    with pytest.raises(InputError, match=r"first is left whole: .*computed over all its channels"):
        find_groups(Normalised(), torch.randn(2, 8), tied=[["first", "second"]])


def test_heads_and_channels_cannot_be_tied() -> None:
    torch.manual_seed(0)
    model = prunable_attention(vit(mlp_dim=4).eval())
    example = torch.randn(1, 3, 16, 16)
    groups = {group.name: group for group in find_groups(model, example).groups}
    heads, channels = list(groups)[:2]
    assert groups[heads].units == groups[channels].units == 4
    with pytest.raises(InputError, match="one counts heads, the other channels"):
        find_groups(model, example, tied=[[heads, channels]])
