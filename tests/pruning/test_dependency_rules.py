"""One small network for each rule of the group finder: what it ties, and what it leaves whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from autoprune.pruning.groups import find_groups
from autoprune.pruning.masking import masked_state
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import fit, prune
from benchmarks.random_schedules import random_kept

IMAGES = torch.rand(1, 4, 8, 8)
TOKENS = torch.rand(1, 6, 8)


class Net(nn.Module):
    """Layers by name and a function that joins them."""

    def __init__(self, forward: Callable[[Any, torch.Tensor], torch.Tensor], **layers: Any) -> None:
        super().__init__()
        for name, layer in layers.items():
            if isinstance(layer, nn.Module):
                self.add_module(name, layer)
            else:
                self.register_parameter(name, nn.Parameter(layer))
        self._joined = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._joined(self, x)


def conv(into: int, out: int, **how: Any) -> nn.Conv2d:
    return nn.Conv2d(into, out, 3, padding=1, **how)


def spaced(net: nn.Module, x: torch.Tensor) -> SearchSpace:
    """Its groups, each of which slices as it masks."""
    torch.manual_seed(0)
    space = find_groups(net.eval(), x, divisor=1)
    for seed in range(3):
        kept = random_kept(space, seed)
        state = net.state_dict()
        for group in space.groups:
            state = masked_state(state, group, kept[group.name])
        with torch.no_grad():
            sliced, masked = prune(net, space, kept)(x), fit(net, state)(x)
        assert torch.allclose(sliced, masked, atol=1e-5)
    return space


def units(space: SearchSpace) -> dict[str, int]:
    return {group.name: group.units for group in space.groups}


def reason(space: SearchSpace, name: str) -> str:
    return next(left.reason for left in space.left_out if left.name == name)


def out(x: torch.Tensor) -> torch.Tensor:
    return x.mean((2, 3))


def test_a_sum_ties_what_it_adds() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.relu(n.a(x) + n.b(x)))), a=conv(4, 6), b=conv(4, 6), c=conv(6, 3)
    )
    (group,) = spaced(net, IMAGES).groups
    assert (group.units, group.producers) == (6, ("a", "b"))


def test_a_gate_for_each_channel_is_tied_to_what_it_scales() -> None:
    def excite(n: Any, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.a(x))
        gate = torch.sigmoid(n.up(torch.relu(n.down(functional.adaptive_avg_pool2d(x, 1)))))
        return out(n.b(gate * x))

    net = Net(excite, a=conv(4, 8), down=nn.Conv2d(8, 2, 1), up=nn.Conv2d(2, 8, 1), b=conv(8, 3))
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 8, "down": 2}
    assert space.groups[0].producers == ("a", "up")


def test_a_parameter_that_scales_channels_is_cut_with_them() -> None:
    net = Net(
        lambda n, x: out(n.b(n.scale * n.a(x))),
        a=conv(4, 6),
        b=conv(6, 3),
        scale=torch.rand(6, 1, 1),
    )
    (group,) = spaced(net, IMAGES).groups
    assert ("scale", 0, "through") in {(p.tensor, p.dim, p.role) for p in group.slices}


def test_a_channel_shuffle_cuts_the_same_channels_of_every_part() -> None:
    def shuffled(n: Any, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.a(x))
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        return out(n.b(x.view(batch, -1, height, width)))

    (group,) = spaced(Net(shuffled, a=conv(4, 8), b=conv(8, 3)), IMAGES).groups
    assert group.units == 4
    places = {place.tensor: place.index for place in group.slices}
    assert places["a.weight"][1].tolist() == [1, 5]
    assert places["b.weight"][1].tolist() == [2, 3]


def test_halves_that_go_apart_stay_equal() -> None:
    def halved(n: Any, x: torch.Tensor) -> torch.Tensor:
        left, right = n.a(x).chunk(2, dim=1)
        return out(n.b(torch.relu(left)) + n.c(right))

    space = spaced(Net(halved, a=conv(4, 8), b=conv(4, 3), c=conv(4, 3)), IMAGES)
    (group,) = space.groups
    assert group.units == 4
    assert {place.tensor for place in group.slices} == {
        "a.weight",
        "a.bias",
        "b.weight",
        "c.weight",
    }


def test_parts_of_unequal_size_are_left_whole() -> None:
    def cut(n: Any, x: torch.Tensor) -> torch.Tensor:
        left, right = n.a(x).split([2, 6], dim=1)
        return out(torch.relu(n.d(n.b(left) + n.c(right))))

    net = Net(cut, a=conv(4, 8), b=conv(2, 5), c=conv(6, 5), d=conv(5, 3))
    space = spaced(net, IMAGES)
    assert units(space) == {"b": 5}
    assert "unequal parts" in reason(space, "a")


def test_zeros_around_pixels_and_moved_pixels_change_nothing() -> None:
    def shifted(n: Any, x: torch.Tensor) -> torch.Tensor:
        x = functional.pad(torch.relu(n.a(x)), (1, 2, 0, 1)).roll((1, 2), (2, 3)).flip(3)
        return out(n.b(functional.interpolate(x, scale_factor=2)))

    assert units(spaced(Net(shifted, a=conv(4, 6), b=conv(6, 3)), IMAGES)) == {"a": 6}


@pytest.mark.parametrize(
    "how", [{"value": 2.5}, {"mode": "reflect"}, {"mode": "replicate"}, {"mode": "circular"}]
)
def test_what_is_put_around_pixels_belongs_to_their_channel(how: dict[str, Any]) -> None:
    def around(n: Any, x: torch.Tensor) -> torch.Tensor:
        return out(n.b(functional.pad(torch.relu(n.a(x)), (1, 2, 0, 1), **how)))

    assert units(spaced(Net(around, a=conv(4, 6), b=conv(6, 3)), IMAGES)) == {"a": 6}


def test_a_convolution_that_pads_by_pixels_is_pruned_on_both_sides() -> None:
    net = Net(
        lambda n, x: out(n.c(n.b(n.a(x)))),
        a=conv(4, 6, padding_mode="reflect"),
        b=conv(6, 5, padding_mode="circular"),
        c=conv(5, 3),
    )
    assert units(spaced(net, IMAGES)) == {"a": 6, "b": 5}


def test_padding_channels_by_others_of_them_leaves_them_whole() -> None:
    def wrapped(n: Any, x: torch.Tensor) -> torch.Tensor:
        y = functional.pad(n.a(x).flatten(2).transpose(1, 2), (1, 1), mode="circular")
        return n.c(n.b(y)).mean(1)

    space = spaced(Net(wrapped, a=conv(4, 6), b=nn.Linear(8, 5), c=nn.Linear(5, 3)), IMAGES)
    assert units(space) == {"b": 5}
    assert "pads its channels by others of them" in reason(space, "a")


def test_channels_of_a_number_that_a_padding_adds_stay() -> None:
    def widened(n: Any, x: torch.Tensor) -> torch.Tensor:
        return out(n.b(functional.pad(n.a(x), (0, 0, 0, 0, 1, 1), value=2.5)))

    assert units(spaced(Net(widened, a=conv(4, 6), b=conv(8, 3)), IMAGES)) == {"a": 6}


def test_channels_of_zeros_that_a_padding_adds_stay() -> None:
    def widened(n: Any, x: torch.Tensor) -> torch.Tensor:
        return out(n.c(functional.pad(n.a(x), (0, 0, 0, 0, 2, 2)) + n.b(x)))

    space = spaced(Net(widened, a=conv(4, 4), b=conv(4, 8), c=conv(8, 3)), IMAGES)
    # The middle channels of b go with those of a; the others are added to zeros that stay.
    assert units(space) == {"a": 4}
    assert space.groups[0].producers == ("a", "b")


def test_a_layer_norm_over_channels_leaves_them_whole_and_hidden_ones_are_pruned() -> None:
    net = Net(
        lambda n, x: n.head((x + n.down(functional.gelu(n.up(n.norm(n.stem(x)))))).mean(1)),
        stem=nn.Linear(8, 8),
        norm=nn.LayerNorm(8),
        up=nn.Linear(8, 12),
        down=nn.Linear(12, 8),
        head=nn.Linear(8, 3),
    )
    space = spaced(net, TOKENS)
    assert units(space) == {"up": 12}
    assert "layer norm" in reason(space, "stem")


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_an_instance_norm_is_cut_with_the_channels_it_normalises(
    affine: bool, tracked: bool
) -> None:
    how: dict[str, Any] = {"affine": affine, "track_running_stats": tracked}
    net = Net(
        lambda n, x: n.c(n.row(n.b(n.image(n.a(x))).flatten(2))).mean(2),
        a=conv(4, 6),
        image=nn.InstanceNorm2d(6, **how),
        b=conv(6, 5),
        row=nn.InstanceNorm1d(5, **how),
        c=nn.Conv1d(5, 3, 1),
    )
    torch.manual_seed(1)
    for tensor in (*net.image.state_dict().values(), *net.row.state_dict().values()):
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 2.0)
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 6, "b": 5}
    narrow = prune(net, space, random_kept(space, 1))
    if affine or tracked:
        assert narrow.image.num_features == narrow.a.out_channels < 6


def test_a_group_norm_leaves_its_channels_whole() -> None:
    net = Net(
        lambda n, x: out(n.b(n.norm(n.a(x)))), a=conv(4, 6), b=conv(6, 5), norm=nn.GroupNorm(2, 6)
    )
    net = nn.Sequential(net, nn.Linear(5, 3))
    space = spaced(net, IMAGES)
    assert units(space) == {"0.b": 5}
    assert "group norm" in reason(space, "0.a")


def test_convolutions_of_every_kind_are_read() -> None:
    net = Net(
        lambda n, x: n.row(torch.relu(n.up(torch.relu(n.a(x)))).flatten(2)).mean(2),
        a=conv(4, 6),
        up=nn.ConvTranspose2d(6, 5, 2, stride=2),
        row=nn.Conv1d(5, 3, 3),
    )
    assert units(spaced(net, IMAGES)) == {"a": 6, "up": 5}


def test_a_layer_called_twice_ties_what_it_reads() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.relu(n.b(torch.relu(n.b(n.a(x))))))),
        a=conv(4, 6), b=conv(6, 6), c=conv(6, 3),
    )  # fmt: skip
    (group,) = spaced(net, IMAGES).groups
    assert group.producers == ("a", "b")


def test_two_names_of_one_weight_are_cut_together() -> None:
    def both(n: Any, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.stem(x))
        return n.last(torch.relu(n.a(x)) * torch.sigmoid(n.b(x)))

    net = Net(
        both, stem=nn.Linear(8, 7), a=nn.Linear(7, 6), b=nn.Linear(7, 6), last=nn.Linear(6, 3)
    )
    net.b.weight = net.a.weight
    space = spaced(net, torch.rand(1, 8))
    assert list(units(space).values()) == [7, 6]
    for group in space.groups:
        assert {"a.weight", "b.weight"} <= {place.tensor for place in group.slices}


def test_a_weight_that_also_reads_the_input_stays_whole() -> None:
    net = Net(
        lambda n, x: n.c(torch.relu(n.b(torch.relu(n.a(x))))),
        a=nn.Linear(8, 8), b=nn.Linear(8, 5), c=nn.Linear(5, 3),
    )  # fmt: skip
    net.again = nn.Linear(8, 8)
    net.again.weight = net.a.weight
    net._joined = lambda n, x: n.c(torch.relu(n.b(torch.relu(n.again(torch.relu(n.a(x)))))))
    space = spaced(net, torch.rand(1, 8))
    assert units(space) == {"b": 5}


def test_an_operator_without_a_rule_stops_what_it_touches_alone() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.relu(n.b(torch.cummax(n.a(x), 1).values)))),
        a=conv(4, 6), b=conv(6, 5), c=conv(5, 3),
    )  # fmt: skip
    space = spaced(net, IMAGES)
    assert units(space) == {"b": 5}
    assert "no rule follows" in reason(space, "a")
    assert "cummax" in reason(space, "a")


def test_a_computed_weight_leaves_what_it_reads_whole() -> None:
    class Standardised(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scaled = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            return functional.conv2d(x, scaled, self.bias, padding=1)

    net = Net(
        lambda n, x: out(n.d(torch.relu(n.c(torch.relu(n.b(torch.relu(n.a(x)))))))),
        a=conv(4, 6), b=Standardised(6, 6, 3), c=conv(6, 5), d=conv(5, 3),
    )  # fmt: skip
    space = spaced(net, IMAGES)
    assert units(space) == {"c": 5}
    assert "weight is computed" in reason(space, "a")
    assert "weight is computed" in reason(space, "b")


def test_vectors_computed_element_by_element_are_cut_with_the_channels_they_scale() -> None:
    def scaled(n: Any, x: torch.Tensor) -> torch.Tensor:
        factor = (n.scale * n.spread.square().add(1e-5).rsqrt()).reshape(1, -1, 1, 1)
        return out(n.b(torch.relu(n.a(x) * factor + n.shift[None, :, None, None].abs())))

    vectors = {name: torch.rand(6) for name in ("scale", "spread", "shift")}
    space = spaced(Net(scaled, a=conv(4, 6), b=conv(6, 3), **vectors), IMAGES)
    assert units(space) == {"a": 6}
    assert {place.tensor for place in space.groups[0].slices} >= set(vectors)


def test_a_vector_whose_elements_change_places_leaves_whole_what_it_scales() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.relu(n.b(torch.relu(n.a(x) * n.scale.flip(0)[:, None, None]))))),
        a=conv(4, 6), b=conv(6, 5), c=conv(5, 3), scale=torch.rand(6),
    )  # fmt: skip
    space = spaced(net, IMAGES)
    assert units(space) == {"b": 5}
    assert "computed from 'scale'" in reason(space, "a")


def test_channels_beside_an_activation_without_any_name_no_parameter() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.relu(n.b(torch.relu(n.a(x) * x.flip(1)))))),
        a=conv(4, 4), b=conv(4, 5), c=conv(5, 3),
    )  # fmt: skip
    assert reason(spaced(net, IMAGES), "a") == (
        "its channels are combined with 'flip', which is not pruned"
    )


def test_channels_that_are_looked_at_as_another_type_stay_whole() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.relu(n.b(n.a(x).view(torch.float32))))),
        a=conv(4, 6), b=conv(6, 5), c=conv(5, 3),
    )  # fmt: skip
    space = spaced(net, IMAGES)
    assert units(space) == {"b": 5}
    assert "another type" in reason(space, "a")


def test_a_concatenation_shifts_positions() -> None:
    def narrowed(n: Any, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.a(x))
        return out(n.c(torch.cat([x, torch.relu(n.b(x))], 1)))

    space = spaced(Net(narrowed, a=conv(4, 6), b=conv(6, 5), c=conv(11, 3)), IMAGES)
    assert units(space) == {"a": 6, "b": 5}
    index = {p.tensor: p.index for p in space.groups[1].slices}
    assert index["c.weight"][0].tolist() == [6]
