"""Maxima, sums and means over pixels and other axes: what they cost, and whose channels pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from test_dependency_rules import IMAGES, Net, conv, out, reason, spaced, units
from test_network_terms import operators
from torch import nn
from torch.nn import functional

from autoprune.errors import ModelError
from autoprune.pruning.network import read_network
from latency_tables.operators import Operator

Reduce = Callable[[torch.Tensor], torch.Tensor]


class Reduces(nn.Module):
    """What a function makes of the pixels of a convolution, and a classifier of all its numbers."""

    def __init__(self, reduce: Reduce) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 1), nn.LazyLinear(2)
        self._reduce = reduce

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self._reduce(self.first(x)).flatten(1))


GLOBAL_MAX = Operator("global_max_pool", 4, 4, 6, 8)
OVER_CHANNELS = ("global_max_pool", 48, 48, 1, 4)


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [
        (lambda x: x.amax((2, 3)), GLOBAL_MAX),
        (lambda x: x.amin((-1, -2), keepdim=True), GLOBAL_MAX),
        (lambda x: x.flatten(2).max(2)[0], Operator("global_max_pool", 4, 4, 48)),
        (lambda x: x.flatten(2).min(-1).values, Operator("global_max_pool", 4, 4, 48)),
        (lambda x: x.sum((2, 3)), Operator("global_avg_pool", 4, 4, 6, 8)),
        (lambda x: x.mean(3), Operator("global_avg_pool", 24, 24, 1, 8)),
        (lambda x: x.amax(1), Operator(*OVER_CHANNELS)),
        (lambda x: torch.max(x, 1, keepdim=True)[0], Operator(*OVER_CHANNELS)),
        (lambda x: x.mean((1, 2, 3), keepdim=True), Operator("global_avg_pool", 1, 1, 1, 192)),
        (
            lambda x: functional.adaptive_max_pool2d(x, 1),
            Operator("max_pool", 4, 4, 6, 8, (6, 8), (6, 8)),
        ),
        (
            lambda x: functional.adaptive_max_pool2d(x, (3, 2)),
            Operator("max_pool", 4, 4, 6, 8, (2, 4), (2, 4)),
        ),
        (
            lambda x: functional.adaptive_max_pool1d(x.flatten(2), 1),
            Operator("max_pool", 4, 4, 1, 48, (1, 48), (1, 48)),
        ),
    ],
)
def test_reductions_are_poolings_of_what_they_run_over(reduce: Reduce, expected: Operator) -> None:
    model = Reduces(reduce).eval()
    model(torch.zeros(2, 3, 6, 8))
    conv, found, linear = operators(model, 2, 3, 6, 8)
    assert (conv.kind, found, linear.kind) == ("conv", expected, "linear")


@pytest.mark.parametrize(
    ("reduce", "words"),
    [
        (lambda x: x * x.max(), "'max' over all images"),
        (lambda x: x * x.sum(), "'sum' over all images"),
    ],
)
def test_reductions_over_a_batch_have_no_price(reduce: Reduce, words: str) -> None:
    model = Reduces(reduce).eval()
    model(torch.zeros(2, 3, 6, 8))
    with pytest.raises(ModelError, match=words):
        operators(model, 2, 3, 6, 8)


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: functional.adaptive_max_pool2d(x, 1).flatten(1),
        lambda x: functional.adaptive_max_pool1d(x.flatten(2), 1).flatten(1),
        lambda x: x.amax((2, 3)),
        lambda x: x.flatten(2).max(2)[0],
    ],
)
def test_channels_pass_through_a_maximum_of_their_pixels(
    pool: Reduce,
) -> None:
    """Its values stand beside their places."""
    net = Net(lambda n, x: n.last(pool(n.a(x))), a=conv(4, 6), last=nn.Linear(6, 3))
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 6}
    pools = {
        op.in_channels for op in read_network(net, IMAGES, space).operators() if "pool" in op.kind
    }
    assert pools == set(space.groups[0].choices)


def test_a_maximum_of_two_tensors_ties_them() -> None:
    net = Net(
        lambda n, x: out(n.c(torch.max(n.a(x), n.b(x)))), a=conv(4, 6), b=conv(4, 6), c=conv(6, 3)
    )
    (group,) = spaced(net, IMAGES).groups
    assert (group.units, group.producers) == (6, ("a", "b"))


def test_a_maximum_over_channels_leaves_them_whole() -> None:
    net = Net(
        lambda n, x: out(n.c(n.b(torch.max(n.a(x), 1, keepdim=True)[0]))),
        a=conv(4, 6),
        b=conv(1, 5),
        c=conv(5, 3),
    )
    space = spaced(net, IMAGES)
    assert units(space) == {"b": 5}
    assert "computed over all its channels ('max'" in reason(space, "a")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_sum_of_stacked_tensors_ties_them_and_costs_a_copy_and_a_sum(axis: int) -> None:
    net = Net(
        lambda n, x: out(n.c(torch.stack([n.a(x), n.b(x)], axis).sum(axis))),
        a=conv(4, 6),
        b=conv(4, 6),
        c=conv(6, 3),
    )
    space = spaced(net, IMAGES)
    (group,) = space.groups
    assert (group.units, group.producers) == (6, ("a", "b"))
    _, _, copy, total, *_ = read_network(net, IMAGES, space).terms
    assert copy.at((5,)) == Operator("concat", 5, 5, 128)
    assert total.at((5,)) == Operator("global_avg_pool", 320, 320, 1, 2)


def test_a_sum_over_stacked_tensors_and_the_batch_has_no_price() -> None:
    model = Reduces(lambda x: x * torch.stack([x, x.relu()], 1).sum((0, 1))).eval()
    model(torch.zeros(2, 3, 6, 8))
    with pytest.raises(ModelError, match="'sum' over all images"):
        operators(model, 2, 3, 6, 8)
