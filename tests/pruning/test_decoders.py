"""Features of a linear layer that become the pixels of channels: the mirror image of a flatten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_dependency_rules import IMAGES, Net, conv, out, reason, spaced, units
from test_folded_channels import priced
from torch import nn
from torch.nn import functional

from autoprune.pruning.surgery import prune

CODES = torch.rand(2, 5)
VIEWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "view": lambda x: x.view(x.size(0), -1, 4, 2),
    "reshape": lambda x: x.reshape(len(x), -1, 4, 2),
    "computed": lambda x: x.view(-1, x.shape[1] // 8, 4, 2),
    "unflatten": lambda x: x.unflatten(1, (-1, 4, 2)),
    "module": nn.Unflatten(1, (6, 4, 2)),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_channel_owns_the_features_that_become_its_pixels(
    view: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    net = Net(
        lambda n, x: n.up(torch.relu(n.view(n.a(x)))),
        a=nn.Linear(5, 48),
        view=view if isinstance(view, nn.Module) else Net(lambda _, x: view(x)),
        up=nn.ConvTranspose2d(6, 3, 2, stride=2),
    )
    space = spaced(net, CODES)
    assert units(space) == {"a": 6}
    places = {place.tensor: place.index for place in space.groups[0].slices}
    assert places["a.weight"][1].tolist() == list(range(8, 16))
    assert places["up.weight"][1].tolist() == [1]
    linear, *_, up = priced(net, CODES, space, 5)
    assert (linear.kind, linear.out_channels, linear.height) == ("linear", 40, 1)
    assert (up.kind, up.in_channels, up.height, up.width) == ("conv_transpose", 5, 4, 2)


@pytest.mark.parametrize("after", ["conv", "norm", "pool", "resize"])
def test_whatever_reads_images_reads_the_channels_of_a_view(after: str) -> None:
    def decode(n: Any, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.a(x).view(len(x), -1, 4, 4))
        if after == "norm":
            x = n.norm(x)
        elif after == "pool":
            x = functional.max_pool2d(x, 2)
        elif after == "resize":
            x = functional.interpolate(x, scale_factor=2)
        return n.b(x)

    net = Net(decode, a=nn.Linear(5, 64), norm=nn.BatchNorm2d(4), b=conv(4, 3))
    space = spaced(net, CODES)
    # There are as many channels as rows and columns: their number does not tell them apart.
    assert units(space) == {"a": 4}
    operators = priced(net, CODES, space, 3)
    assert operators[0].out_channels == 48
    assert [op.in_channels for op in operators[1:]] == [3] * len(operators[1:])


def test_norms_on_both_sides_of_a_view_are_cut_with_their_channels() -> None:
    net = Net(
        lambda n, x: n.b(n.image(torch.relu(n.row(n.a(x))).unflatten(1, (-1, 2, 2)))),
        a=nn.Linear(5, 24), row=nn.BatchNorm1d(24), image=nn.BatchNorm2d(6), b=conv(6, 3),
    )  # fmt: skip
    for norm in (net.row, net.image):
        norm.running_mean.uniform_()
        norm.bias.data.uniform_()
    space = spaced(net, CODES)
    places = {place.tensor: place.index for place in space.groups[0].slices}
    assert places["row.running_mean"][2].tolist() == [8, 9, 10, 11]
    assert places["image.weight"][2].tolist() == [2]
    linear, norm, _ = priced(net, CODES, space, 5)
    assert (linear.out_channels, linear.batch_norm, linear.activation) == (20, True, "relu")
    assert (norm.kind, norm.in_channels) == ("batch_norm", 5)


def test_features_become_the_steps_of_a_sequence() -> None:
    net = Net(
        lambda n, x: n.b(torch.relu(n.a(x)).view(len(x), -1, 4)).mean(2),
        a=nn.Linear(5, 24), b=nn.Conv1d(6, 3, 3),
    )  # fmt: skip
    space = spaced(net, CODES)
    assert units(space) == {"a": 6}
    linear, read, *_ = priced(net, CODES, space, 5)
    assert (linear.out_channels, read.in_channels, read.width) == (20, 5, 4)


def test_tokens_that_a_view_makes_share_their_features() -> None:
    net = Net(
        lambda n, x: n.b(torch.relu(n.a(x)).view(len(x), 4, -1)).mean(1),
        a=nn.Linear(5, 24), b=nn.Linear(6, 3),
    )  # fmt: skip
    space = spaced(net, CODES)
    assert units(space) == {"a": 6}
    places = {place.tensor: place.index for place in space.groups[0].slices}
    assert places["a.weight"][1].tolist() == [1, 7, 13, 19]
    assert [op.in_channels for op in priced(net, CODES, space, 5)] == [5, 5, 3]


def test_an_autoencoder_is_pruned_on_both_sides_of_its_code() -> None:
    net = nn.Sequential(
        conv(4, 6, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(96, 7), nn.ReLU(),
        nn.Linear(7, 80), nn.BatchNorm1d(80), nn.ReLU(), nn.Unflatten(1, (5, 4, 4)),
        nn.ConvTranspose2d(5, 4, 2, stride=2), nn.Sigmoid(),
    )  # fmt: skip
    space = spaced(net, IMAGES)
    assert units(space) == {"0": 6, "3": 7, "5": 5}
    first, code, back, up = priced(net, IMAGES, space, 4, 3, 2)
    assert (first.out_channels, code.in_channels, code.out_channels) == (4, 64, 3)
    assert (back.in_channels, back.out_channels, up.in_channels) == (3, 32, 2)


def test_a_pruned_decoder_trains_and_is_pruned_again() -> None:
    net = nn.Sequential(nn.Linear(5, 48), nn.Unflatten(1, (6, 4, 2)), conv(6, 3))
    space = spaced(net, CODES)
    narrow = prune(net, space, {"0": torch.tensor([0, 2, 3, 5])}).train()
    narrow(CODES).square().sum().backward()
    assert narrow[0].weight.grad.shape == (32, 5)
    assert units(spaced(narrow, CODES)) == {"0": 4}
    assert net[1].unflattened_size == (6, 4, 2)


def test_what_a_size_in_the_middle_leaves_open_is_cut() -> None:
    def shuffled(n: Any, x: torch.Tensor) -> torch.Tensor:
        x = n.a(x).view(len(x), -1, 2, 8, 8).transpose(1, 2).flatten(1, 2)
        return out(n.b(torch.relu(x)))

    net = Net(shuffled, a=conv(4, 8), b=conv(8, 3))
    space = spaced(net, IMAGES)
    places = {place.tensor: place.index for place in space.groups[0].slices}
    assert places["a.weight"][1].tolist() == [2, 3]
    assert places["b.weight"][1].tolist() == [1, 5]
    assert [op.in_channels for op in priced(net, IMAGES, space, 3)][:2] == [4, 6]


def test_channels_left_whole_are_counted_where_images_are_read() -> None:
    net = nn.Sequential(
        nn.Linear(5, 5), nn.Linear(5, 48), nn.Softmax(1), nn.Unflatten(1, (6, 4, 2)),
        nn.BatchNorm2d(6), conv(6, 3),
    )  # fmt: skip
    space = spaced(net, CODES)
    assert units(space) == {"0": 5}
    assert "computed over all its channels" in reason(space, "1")
    norm = priced(net, CODES, space, 3)[3]
    assert (norm.kind, norm.in_channels, norm.height, norm.width) == ("batch_norm", 6, 4, 2)
