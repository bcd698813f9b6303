"""Sizes that a forward gives as numbers: what is said of the channels that they keep whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from test_dependency_rules import IMAGES, Net, conv, out, reason, spaced, units
from torch import nn

HERE = "test_written_sizes.py:"
CODES = torch.rand(1, 5)
Cut = Callable[[torch.Tensor], Sequence[torch.Tensor]]
View = Callable[[torch.Tensor], torch.Tensor]


def halved(cut: Cut) -> nn.Module:
    """A network that cuts eight channels, with a layer before them that can be pruned."""

    def forward(n: Any, x: torch.Tensor) -> torch.Tensor:
        left, right = cut(n.a(torch.relu(n.stem(x))))
        return out(n.b(torch.relu(left)) + n.c(right))

    return Net(forward, stem=conv(4, 5), a=conv(5, 8), b=conv(4, 3), c=conv(4, 3))


def decoder(view: View) -> nn.Module:
    return Net(
        lambda n, x: n.b(torch.relu(view(n.a(torch.relu(n.stem(x)))))),
        stem=nn.Linear(5, 5), a=nn.Linear(5, 48), b=conv(6, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (lambda x: x.split(4, dim=1), "split(4, 1)"),
        (lambda x: x.split(dim=1, split_size=4), "split(4, 1)"),
        (lambda x: torch.split(x, [4, 4], -3), "split([4, 4], 1)"),
        (lambda x: torch.split_with_sizes(x, [4, 4], 1), "split_with_sizes([4, 4], 1)"),
    ],
)
def test_parts_of_a_written_size_are_left_whole_and_chunk_is_named(cut: Cut, said: str) -> None:
    space = spaced(halved(cut), IMAGES)
    assert units(space) == {"stem": 5}
    told = reason(space, "a")
    assert f"the size of the parts is written in the forward: {said}, at " in told
    assert HERE in told
    assert "chunk(2, 1) makes equal parts" in told


def test_parts_of_a_size_that_follows_the_tensor_are_pruned() -> None:
    assert units(spaced(halved(lambda x: x.split(x.shape[1] // 2, 1)), IMAGES)) == {
        "stem": 5,
        "a": 4,
    }


@pytest.mark.parametrize(
    ("view", "said", "instead"),
    [
        (lambda x: x.view(-1, 6, 4, 2), "view(-1, 6, 4, 2)", "view(x.size(0), -1, 4, 2)"),
        (lambda x: x.view((len(x), 6, 4, 2)), "view(2, 6, 4, 2)", "view(x.size(0), -1, 4, 2)"),
        (lambda x: torch.reshape(x, (-1, 6, 4, 2)), "reshape(-1, 6,", "reshape(x.size(0), -1, 4"),
        (lambda x: x.unflatten(1, (6, 4, 2)), "unflatten(1, (6,", "unflatten(1, (-1, 4, 2))"),
        (
            lambda x: x.unflatten(dim=-1, sizes=(6, 4, 2)),
            "unflatten(1, (6,",
            "unflatten(1, (-1, 4, 2))",
        ),
    ],
)
def test_a_view_of_a_written_size_is_told_with_what_to_write_instead(
    view: View, said: str, instead: str
) -> None:
    space = spaced(decoder(view), CODES)
    assert units(space) == {"stem": 5}
    told = reason(space, "a")
    assert f"the number of channels is written in the forward: {said}" in told
    assert HERE in told
    assert f"as in {instead}" in told


def test_what_follows_the_tensor_is_not_blamed() -> None:
    def forward(n: Any, x: torch.Tensor) -> torch.Tensor:
        y = n.a(torch.relu(n.stem(x)))
        y = y.view(len(y), -1, 64).split(32, 2)[0].reshape(len(y), -1, 4, 8)
        y = y.unflatten(1, (-1, 1)).flatten(1, 2)
        return out(n.b(y.reshape(-1, 2, 4, 4, 8).transpose(1, 2).flatten(1, 2)))

    net = Net(forward, stem=conv(4, 5), a=conv(5, 8), b=conv(8, 3))
    told = reason(spaced(net, IMAGES), "a")
    assert "the forward: reshape(-1, 2, 4, 4, 8), at" in told
    assert "in its place or with a size" in told


def test_a_group_that_fails_for_another_cause_is_told_that_cause() -> None:
    class Counts(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * (x.flatten(2).shape[1] / 6)

    net = Net(
        lambda n, x: out(n.c(torch.relu(n.b(n.count(n.a(x)))))),
        a=conv(4, 6), count=Counts(), b=conv(6, 5), c=conv(5, 3),
    )  # fmt: skip
    space = spaced(net, IMAGES)
    assert units(space) == {"b": 5}
    assert "differs from the masked one" in reason(space, "a")
