from typing import Any

import pytest
import torch
from torch import nn

from autoprune.errors import ModelError
from autoprune.models.registry import build_model
from autoprune.models.weights import state_hash
from autoprune.pruning.groups import find_groups
from autoprune.pruning.widths import legal_widths


def test_every_stage_stream_of_resnet20_is_a_group_of_its_own(resnet20: Any) -> None:
    groups = {group.name: group for group in resnet20.space.groups}
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)]
    streams = {
        "conv1": ("conv1", *(f"{b}.conv2" for b in blocks[:3])),
        "layer2.0.conv2": tuple(f"{b}.conv2" for b in blocks[3:6]),
        "layer3.0.conv2": tuple(f"{b}.conv2" for b in blocks[6:]),
    }
    inner = {f"{block}.conv1" for block in blocks}
    assert set(groups) == set(streams) | inner
    for name, producers in streams.items():
        assert groups[name].producers == producers
    assert [groups[name].units for name in streams] == [16, 32, 64]


def test_the_outputs_of_the_network_are_left_out_with_the_reason(resnet20: Any) -> None:
    (left,) = resnet20.space.left_out
    assert left.name == "linear"
    assert "output of the network" in left.reason


def test_an_intermediate_output_is_not_pruned_either() -> None:
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = (nn.Linear(8, 8) for _ in range(3))

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            shown = self.second(torch.relu(self.first(x)))
            return {"shown": shown, "last": self.third(torch.relu(shown))}

    space = find_groups(TwoHeads(), torch.randn(2, 8))
    assert [group.name for group in space.groups] == ["first"]
    assert {left.name for left in space.left_out} == {"second", "third"}


def test_depthwise_convolutions_belong_to_the_group_before_them(mobilenet: Any) -> None:
    group = next(g for g in mobilenet.space.groups if g.name == "features.2.conv.0.0")
    assert group.producers == ("features.2.conv.0.0", "features.2.conv.1.0")
    roles = {(place.tensor, place.role) for place in group.slices}
    assert ("features.2.conv.1.0.weight", "through") in roles
    assert ("features.2.conv.2.weight", "input") in roles


def test_a_unit_before_a_grouped_convolution_is_one_channel_of_each_group(grouped: Any) -> None:
    group = next(g for g in grouped.space.groups if g.name == "stem")
    assert group.units == 4
    indices = {place.tensor: place.index for place in group.slices}
    assert indices["stem.weight"][1].tolist() == [1, 5, 9]
    assert indices["grouped.weight"][1].tolist() == [1]


def test_a_flatten_multiplies_positions_by_the_pixels(grouped: Any) -> None:
    group = next(g for g in grouped.space.groups if g.name == "merge")
    place = next(place for place in group.slices if place.tensor == "hidden.weight")
    assert place.index[3].tolist() == [12, 13, 14, 15]


def test_a_concatenation_shifts_positions(grouped: Any) -> None:
    group = next(g for g in grouped.space.groups if g.name == "side")
    place = next(place for place in group.slices if place.tensor == "merge.weight")
    assert (place.dim, place.index[0].tolist()) == (1, [24])


@pytest.mark.parametrize(
    ("units", "divisor", "min_keep", "expected"),
    [
        (16, None, 0.1, (2, 3, 4, 5, 6, 7, 8, 16)),
        (64, None, 0.1, (7, *range(8, 65, 8))),
        (160, None, 0.1, tuple(range(16, 161, 16))),
        (20, None, 0.5, (16, 20)),
        (16, 1, 0.1, tuple(range(2, 17))),
        (64, 4, 0.1, tuple(range(8, 65, 4))),
        (30, 8, 0.1, (8, 16, 24, 30)),
        (5, 8, 0.1, (5,)),
        (3, None, 0.0, (1, 2, 3)),
    ],
)
def test_legal_widths_step_from_min_keep_to_the_full_width(
    units: int, divisor: int | None, min_keep: float, expected: tuple[int, ...]
) -> None:
    assert legal_widths(units, divisor, min_keep) == expected


def test_there_are_never_more_than_sixteen_legal_widths() -> None:
    for units in range(1, 700):
        for divisor in (None, 2, 8):
            choices = legal_widths(units, divisor, 0.0)
            assert len(choices) <= 16
            assert choices[-1] == units


def test_excluded_layers_are_left_out_and_a_pattern_without_a_layer_is_refused() -> None:
    model, example = build_model("autoprune:digits_cnn", classes=10), torch.randn(1, 1, 8, 8)
    space = find_groups(model, example, ignore=["layer2.*"], divisor=12, min_keep=0.5)
    assert not any(p.startswith("layer2") for g in space.groups for p in g.producers)
    excluded = [left for left in space.left_out if "layer2.*" in left.reason]
    assert {left.name for left in excluded} >= {"layer2.0.conv1", "layer2.1.conv1"}
    assert space.groups[0].choices == (12, 24)
    with pytest.raises(ModelError, match=r"'layr2\.\*' matches no layer.*layer2\.0\.conv1"):
        find_groups(model, example, ignore=["layr2.*"])


def test_finding_groups_again_finds_the_same_and_leaves_the_model_alone() -> None:
    model, example = build_model("autoprune:digits_cnn", classes=10), torch.randn(1, 1, 8, 8)
    before = state_hash(model.state_dict())
    first, second = find_groups(model, example), find_groups(model, example)
    assert first == second
    for one, other in zip(first.groups, second.groups, strict=True):
        for here, there in zip(one.slices, other.slices, strict=True):
            assert torch.equal(here.index, there.index)
    assert state_hash(model.state_dict()) == before


def test_a_model_that_does_not_run_names_the_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.Conv2d(9, 8, 3)))
    with pytest.raises(ModelError, match=r"layer '1\.0' of Sequential raised RuntimeError"):
        find_groups(model, torch.randn(1, 3, 8, 8))


def test_a_model_with_nothing_to_prune_says_why() -> None:
    with pytest.raises(ModelError, match=r"nothing of Sequential can be pruned.*output"):
        find_groups(nn.Sequential(nn.Linear(4, 4)), torch.randn(1, 4))


def test_a_group_left_out_tells_every_layer_tied_to_it() -> None:
    class TiedOutput(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = (nn.Linear(8, 8) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(torch.relu(self.first(x))) + self.third(x)

    (left,) = find_groups(TiedOutput(), torch.randn(2, 8)).left_out
    assert {left.name, left.reason.rpartition(" ")[2]} == {"second", "third"}


def test_channels_whose_removal_is_not_masking_are_left_out() -> None:
    class Normalised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.softmax(self.first(x), dim=1)  # every unit changes every other
            return self.third(torch.relu(self.second(x)))

    space = find_groups(Normalised(), torch.randn(2, 8))
    assert [group.name for group in space.groups] == ["second"]
    reason = next(left.reason for left in space.left_out if left.name == "first")
    assert "computed over all its channels" in reason
