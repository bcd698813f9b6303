"""One channel made of several, or several of one: what is pruned together, and what it costs."""

from __future__ import annotations

import torch
from test_dependency_rules import IMAGES, TOKENS, Net, conv, out, reason, spaced, units
from test_network_terms import Computes, operators
from torch import nn
from torch.nn import functional

from autoprune.pruning.network import read_network
from autoprune.pruning.space import SearchSpace
from latency_tables.operators import Operator


def priced(net: nn.Module, x: torch.Tensor, space: SearchSpace, *widths: int) -> list[Operator]:
    return [term.at(widths) for term in read_network(net, x, space).terms]


def test_channels_that_become_the_pixels_of_one_are_cut_together() -> None:
    net = Net(
        lambda n, x: out(n.b(torch.relu(functional.pixel_shuffle(n.a(x), 2)))),
        a=conv(4, 24),
        b=conv(6, 3),
    )
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 6}
    places = {place.tensor: place.index for place in space.groups[0].slices}
    assert places["a.weight"][1].tolist() == [4, 5, 6, 7]
    assert places["b.weight"][1].tolist() == [1]
    first, shuffle, relu, last, _ = priced(net, IMAGES, space, 5)
    assert shuffle == Operator("pixel_shuffle", 5, 5, 8, 8, (2, 2))
    assert (first.out_channels, relu.in_channels, last.in_channels) == (20, 5, 5)


def test_a_channel_whose_pixels_become_channels_is_cut_with_all_of_them() -> None:
    net = Net(
        lambda n, x: out(n.b(functional.pixel_unshuffle(torch.relu(n.a(x)), 2))),
        a=conv(4, 6),
        b=conv(24, 3),
    )
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 6}
    places = {place.tensor: place.index for place in space.groups[0].slices}
    assert places["b.weight"][1].tolist() == [4, 5, 6, 7]
    _, shuffle, last, _ = priced(net, IMAGES, space, 5)
    assert shuffle == Operator("pixel_unshuffle", 5, 5, 8, 8, (2, 2))
    assert last.in_channels == 20


def test_a_network_that_ends_in_a_shuffle_keeps_its_last_layer_whole() -> None:
    net = Net(
        lambda n, x: functional.pixel_shuffle(n.b(torch.tanh(n.a(x))), 2).clamp(0, 1),
        a=conv(4, 6),
        b=conv(6, 4),
    )
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 6}
    assert "output of the network" in reason(space, "b")
    assert [op.kind for op in priced(net, IMAGES, space, 3)] == [
        "conv",
        "conv",
        "pixel_shuffle",
        "activation",
    ]


def test_pixels_of_another_axis_leave_whole_what_they_are_moved_across() -> None:
    net = Net(
        lambda n, x: n.c(
            torch.relu(n.b(functional.pixel_shuffle(n.a(x).unflatten(1, (4, 2)), 2).flatten(1)))
        ),
        a=nn.Linear(6, 6),
        b=nn.Linear(48, 5),
        c=nn.Linear(5, 3),
    )
    space = spaced(net, torch.rand(1, 8, 6))
    assert units(space) == {"b": 5}
    assert "moved across its channels" in reason(space, "a")


def test_what_is_gated_and_its_gate_are_cut_together_and_cost_a_sigmoid_and_a_product() -> None:
    net = Net(lambda n, x: out(n.b(functional.glu(n.a(x), 1))), a=conv(4, 12), b=conv(6, 3))
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 6}
    places = {place.tensor: place.index for place in space.groups[0].slices}
    assert places["a.weight"][1].tolist() == [1, 7]
    first, gate, product, *_ = priced(net, IMAGES, space, 5)
    assert first.out_channels == 10
    assert gate == Operator("activation", 5, 5, 8, 8, activation="sigmoid")
    assert product == Operator("multiply", 5, 5, 8, 8)


def test_a_gate_over_the_features_of_tokens_cuts_both_halves() -> None:
    net = Net(
        lambda n, x: n.b(functional.glu(n.a(x))).mean(1), a=nn.Linear(8, 10), b=nn.Linear(5, 3)
    )
    space = spaced(net, TOKENS)
    assert units(space) == {"a": 5}
    assert priced(net, TOKENS, space, 4)[1:3] == [
        Operator("activation", 4, 4, 6, activation="sigmoid"),
        Operator("multiply", 4, 4, 6),
    ]


def test_a_gate_along_the_pixels_passes_each_channel_alone() -> None:
    net = Net(lambda n, x: out(n.b(functional.glu(n.a(x), 3))), a=conv(4, 6), b=conv(6, 3))
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 6}
    assert priced(net, IMAGES, space, 5)[2] == Operator("multiply", 5, 5, 8, 4)


def test_fixed_channels_are_counted_where_the_pixels_are() -> None:
    moved = operators(
        Computes(lambda x: functional.pixel_shuffle(x.permute(0, 3, 1, 2), 2)), 1, 4, 6, 8
    )
    assert moved == [Operator("pixel_shuffle", 2, 2, 4, 6, (2, 2))]


def test_what_is_stacked_on_something_whole_stays_whole() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.relu(n.b(torch.stack([n.a(x), x]).sum(0))))),
        a=conv(4, 4),
        b=conv(4, 5),
        c=conv(5, 3),
    )
    space = spaced(net, IMAGES)
    assert units(space) == {"b": 5}
    assert "not pruned" in reason(space, "a")


def test_what_is_stacked_with_channels_of_another_axis_stays_whole() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.relu(n.b(torch.stack([n.a(x), n.d(x)], 2).amax(2))))),
        a=conv(4, 8),
        d=nn.Sequential(nn.Linear(8, 8), Computes(lambda x: x.repeat(1, 2, 1, 1))),
        b=conv(8, 5),
        c=conv(5, 3),
    )
    space = spaced(net, IMAGES)
    assert units(space) == {"b": 5}
    assert "different axes" in reason(space, "a")
