import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from autoprune.errors import ModelError
from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import read_network, thinned
from autoprune.pruning.space import SearchSpace
from latency_tables.operators import Operator

NOTHING = SearchSpace(())


class Computes(nn.Module):
    """Nothing but a function."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._function(x)


def operators(model: nn.Module, *shape: int) -> list[Operator]:
    return [term.operator for term in read_network(model, torch.randn(shape), NOTHING).terms]


def test_resnet20_is_its_convolutions_additions_shortcuts_pool_and_classifier(
    resnet20: Any,
) -> None:
    terms = resnet20.network.terms
    counts = Counter(term.operator.kind for term in terms)
    assert counts == {"conv": 19, "add": 9, "channel_map": 2, "global_avg_pool": 1, "linear": 1}
    stem, shortcut = terms[0].operator, next(t for t in terms if t.layer == "layer3.0.shortcut")
    assert stem == Operator(
        "conv", 3, 16, 32, 32, (3, 3), padding=(1, 1), batch_norm=True, activation="relu"
    )
    assert shortcut.operator == Operator("channel_map", 32, 64, 16, 16, stride=(2, 2))
    position = {group.name: number for number, group in enumerate(resnet20.space.groups)}
    assert shortcut.inputs.multiples == ((position["layer2.0.conv2"], 1),)
    assert shortcut.outputs.multiples == ((position["layer3.0.conv2"], 1),)


def test_a_concatenation_counts_the_channels_of_all_its_groups(grouped: Any) -> None:
    concat = next(t for t in grouped.network.terms if t.operator.kind == "concat")
    groups = grouped.space.groups
    parts = {groups[number].name: multiple for number, multiple in concat.outputs.multiples}
    assert parts == {"grouped": 3, "side": 1}
    assert concat.outputs.at([group.units for group in groups]) == 34


def test_a_batch_norm_or_activation_that_others_bypass_stays_an_operator_of_its_own() -> None:
    class Bypass(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return torch.sigmoid(x) * self.norm(x)

    kinds = [op.kind for op in operators(Bypass().eval(), 1, 3, 8, 8)]
    assert kinds == ["conv", "activation", "batch_norm", "multiply"]


def test_an_instance_norm_with_stored_statistics_costs_what_a_batch_norm_alone_does() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=False),
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
        nn.ReLU(),
        nn.Conv2d(4, 5, 1, bias=False),
        nn.InstanceNorm2d(5),
        nn.ReLU(),
        nn.Flatten(2),
        nn.InstanceNorm1d(5, affine=True),
    )
    assert operators(model.eval(), 2, 3, 8, 8) == [
        Operator("conv", 3, 4, 8, 8),
        Operator("batch_norm", 4, 4, 8, 8, activation="relu"),
        Operator("conv", 4, 5, 8, 8),
        Operator("instance_norm", 5, 5, 8, 8),
        Operator("activation", 5, 5, 8, 8, activation="relu"),
        Operator("instance_norm", 5, 5, 64),
    ]


def test_poolings_and_views_follow_their_rules() -> None:
    model = nn.Sequential(
        nn.MaxPool2d(3, 2, padding=1),
        nn.ReLU6(),
        nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d(3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(4, 2, bias=False),
    ).eval()
    assert operators(model, 1, 4, 12, 12) == [
        Operator("max_pool", 4, 4, 12, 12, (3, 3), (2, 2), (1, 1)),
        Operator("activation", 4, 4, 6, 6, activation="relu6"),
        Operator("avg_pool", 4, 4, 6, 6, (2, 2), (2, 2)),
        Operator("global_avg_pool", 4, 4, 3, 3),
        Operator("linear", 4, 2),
    ]


def test_poolings_of_sequences_are_those_of_images_at_height_one() -> None:
    model = nn.Sequential(
        nn.MaxPool1d(3, 2, 1, dilation=2),
        nn.AvgPool1d(2, padding=1),
        nn.Upsample(12),
        nn.Upsample(scale_factor=2, mode="linear", align_corners=True),
        nn.AdaptiveMaxPool1d(12),
        nn.AdaptiveAvgPool1d(4),
        nn.AdaptiveAvgPool1d(4),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )
    assert operators(model.eval(), 2, 6, 20) == [
        Operator("max_pool", 6, 6, 1, 20, (1, 3), (1, 2), (0, 1), (1, 2)),
        Operator("avg_pool", 6, 6, 1, 9, (1, 2), (1, 2), (0, 1)),
        Operator("resize", 6, 6, 1, 5, (1, 12)),
        Operator("resize", 6, 6, 1, 12, (1, 24), variant="bilinear_corners"),
        Operator("max_pool", 6, 6, 1, 24, (1, 2), (1, 2)),
        Operator("avg_pool", 6, 6, 1, 12, (1, 3), (1, 3)),
        Operator("global_avg_pool", 6, 6, 1, 4),
    ]


class OverChannels(nn.Module):
    """Pools what a linear layer puts out for each of several tokens over its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(2, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.last(functional.adaptive_avg_pool1d(self.first(tokens), 2))


def test_pooling_over_the_channels_has_a_price_where_none_can_be_pruned() -> None:
    assert operators(OverChannels(), 1, 5, 4) == [
        Operator("linear", 4, 8, 5, bias=True),
        Operator("avg_pool", 5, 5, 1, 8, (1, 4), (1, 4)),
        Operator("linear", 2, 3, 5, bias=True),
    ]


@pytest.mark.parametrize("pool", [nn.Identity(), nn.MaxPool1d(3, 2, 1), nn.AvgPool1d(2)])
def test_a_pool_of_sequences_costs_less_with_fewer_channels(pool: nn.Module) -> None:
    layers = nn.Conv1d(3, 16, 3), nn.ReLU(), pool, nn.AdaptiveAvgPool1d(1)
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 2)).eval()
    example = torch.randn(1, 3, 10)
    space = find_groups(model, example)
    network = read_network(model, example, space)
    pools = {op.in_channels for op in network.operators() if "pool" in op.kind}
    assert pools == set(space.groups[0].choices) == {2, 3, 4, 5, 6, 7, 8, 16}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 4, 1), nn.Softshrink()),
            r"module '1' \(Softshrink\) computes 'softshrink', which no rule prices",
        ),
        (Computes(lambda x: x.cumsum(1)), r"own forward \(of Computes\) computes 'cumsum', "),
        (
            nn.Sequential(nn.Identity(), Computes(lambda x: x.erfinv())),
            r"module '1' \(Computes\) computes 'erfinv', ",
        ),
    ],
)
def test_what_no_rule_prices_is_refused_with_the_module_it_is_in(
    model: nn.Module, words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        operators(model.eval(), 1, 3, 8, 8)


def test_the_refusal_names_what_is_spelled_alike_and_says_what_can_be_done() -> None:
    with pytest.raises(ModelError) as refusal:
        operators(Computes(lambda x: x.logsumexp(1)), 1, 3, 8, 8)
    words = str(refusal.value)
    assert "'log_softmax'" in words
    assert "'relu'" not in words
    assert re.search(r"docs/operators\.md lists .*Task\(part=\.\.\.\).*add a rule", words)
    assert len(words) < 500


def test_a_model_whose_path_depends_on_its_input_is_refused() -> None:
    class Depends(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if bool(x.sum() > 0) else -x

    with pytest.raises(ModelError, match="Depends cannot be exported"):
        operators(Depends(), 1, 3)


def test_the_operators_cover_every_pair_of_legal_widths_or_a_thinned_grid(resnet20: Any) -> None:
    pairs = {
        (op.in_channels, op.out_channels)
        for op in resnet20.network.operators()
        if op.kind == "conv" and op.stride == (2, 2) and op.height == 32
    }
    assert pairs == {(i, o) for i in (*range(2, 9), 16) for o in (*range(4, 9), 16, 24, 32)}
    thin = resnet20.network.operators(points=3)
    assert thin < resnet20.network.operators()
    assert {op.in_channels for op in thin if op.kind == "linear"} == {7, 32, 64}


def test_thinning_keeps_both_ends() -> None:
    assert thinned(range(10), 4) == (0, 3, 6, 9)
    assert thinned([1, 2], 4) == (1, 2)
    assert thinned(range(10), None) == tuple(range(10))


def test_what_is_resized_is_priced_by_the_sizes_before_and_after() -> None:
    class Resized(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            resize = nn.functional.interpolate
            near = resize(x, scale_factor=2)
            smooth = resize(near, size=(5, 7), mode="bilinear", align_corners=False)
            cubic = resize(smooth, size=(6, 6), mode="bicubic")
            return {
                "out": resize(smooth, size=(9, 9), mode="bilinear", align_corners=True),
                "large": resize(cubic, scale_factor=2, mode="bicubic", align_corners=True),
            }

    assert operators(Resized(), 1, 4, 6, 8) == [
        Operator("resize", 4, 4, 6, 8, (12, 16)),
        Operator("resize", 4, 4, 12, 16, (5, 7), variant="bilinear"),
        Operator("resize", 4, 4, 5, 7, (6, 6), variant="bicubic"),
        Operator("resize", 4, 4, 5, 7, (9, 9), variant="bilinear_corners"),
        Operator("resize", 4, 4, 6, 6, (12, 12), variant="bicubic_corners"),
    ]


class Gated(nn.Module):
    """Squeeze-and-excite, with the gate expanded by hand or by the multiplication."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.by_hand = by_hand
        self.stem, self.head = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 4, 1)
        self.down, self.up = nn.Linear(16, 8), nn.Linear(8, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        gate = self.up(torch.relu(self.down(x.mean((2, 3))))).sigmoid()[:, :, None, None]
        return self.head(x * (gate.expand_as(x) if self.by_hand else gate)).mean((2, 3))


def test_an_expansion_to_the_size_of_another_tensor_costs_nothing_and_keeps_groups() -> None:
    images, read = torch.randn(1, 3, 9, 9), []
    for by_hand in (True, False):
        model = Gated(by_hand).eval()
        space = find_groups(model, images)
        assert [(group.name, group.units) for group in space.groups] == [("stem", 16), ("down", 8)]
        read.append(read_network(model, images, space).terms)
    assert read[0] == read[1]


def test_a_parameter_expanded_to_the_size_of_the_images_is_read() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale.expand_as(x)

    assert [op.kind for op in operators(Scaled().eval(), 1, 3, 9, 9)] == ["multiply"]


class Halves(nn.Module):
    """Two halves of a layer's channels, by slices or by a chunk, of which one goes on."""

    def __init__(self, sliced: bool) -> None:
        super().__init__()
        self.sliced = sliced
        self.stem, self.side = nn.Conv2d(3, 16, 1), nn.Conv2d(8, 8, 1)
        self.head = nn.Conv2d(16, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        first, second = (x[:, :8], x[:, 8:]) if self.sliced else x.chunk(2, 1)
        return self.head(torch.cat([first, self.side(second)], 1)).mean((2, 3))


def test_a_slice_of_prunable_channels_is_refused_with_both_ways_out() -> None:
    images, sliced = torch.randn(1, 3, 8, 8), Halves(sliced=True).eval()
    with pytest.raises(ModelError, match=r"chunk\(2, 1\).*; or exclude .*\(--ignore stem\)"):
        read_network(sliced, images, find_groups(sliced, images))
    ignoring = find_groups(sliced, images, ignore=["stem"])
    assert len(read_network(sliced, images, ignoring).terms) == 5
    chunked = Halves(sliced=False).eval()
    space = find_groups(chunked, images)
    assert "stem" in {group.name for group in space.groups}
    assert len(read_network(chunked, images, space).terms) == 5
