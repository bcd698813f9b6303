"""What is said of layers left whole at the end of ordinary networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_dependency_rules import IMAGES, Net, conv, out, reason, units
from torch import nn
from torch.nn import functional

from autoprune.errors import ModelError
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import SearchSpace

OUTPUT = "its channels are an output of the network"
Head = Callable[[torch.Tensor], torch.Tensor]
HEADS: dict[str, tuple[nn.Module, Head, Head]] = {
    "classifier": (nn.Linear(6, 3), out, lambda y: y),
    "probabilities": (nn.Linear(6, 3), out, lambda y: y.softmax(1)),
    "one logit": (nn.Linear(6, 1), out, lambda y: y.squeeze(1)),
    "one map": (nn.Conv2d(6, 1, 1), torch.relu, lambda y: y.sigmoid().clamp(0, 1)),
    "class maps": (nn.Conv2d(6, 5, 1), torch.relu, lambda y: functional.interpolate(y, (9, 9))),
    "decoder": (nn.ConvTranspose2d(6, 1, 2, 2), torch.relu, torch.tanh),
    "embedding": (nn.Linear(6, 4), out, functional.normalize),
    "anchors": (nn.Conv2d(6, 8, 1), torch.relu, lambda y: y.permute(0, 2, 3, 1).reshape(2, -1, 4)),
    "pixels": (nn.Linear(6, 12), out, lambda y: y.view(-1, 3, 2, 2)),
}


def found(net: nn.Module) -> SearchSpace:
    return find_groups(net.eval(), IMAGES, divisor=1)


@pytest.mark.parametrize(("head", "before", "after"), HEADS.values(), ids=HEADS)
def test_the_last_layer_is_told_to_be_the_output(
    head: nn.Module, before: Head, after: Head
) -> None:
    net = Net(lambda n, x: after(n.head(before(torch.relu(n.a(x))))), a=conv(4, 6), head=head)
    space = found(net)
    assert units(space) == {"a": 6}
    assert reason(space, "head") == OUTPUT


def test_each_of_several_heads_is_told_to_be_an_output() -> None:
    def heads(n: Any, x: torch.Tensor) -> Any:
        x = torch.relu(n.a(x))
        return {"maps": n.maps(x), "figures": torch.cat([n.age(out(x)), n.kind(out(x))], 1)}

    net = Net(
        heads, a=conv(4, 6), maps=nn.Conv2d(6, 2, 1), age=nn.Linear(6, 1), kind=nn.Linear(6, 3)
    )
    space = found(net)
    assert units(space) == {"a": 6}
    assert {left.name: left.reason for left in space.left_out} == dict.fromkeys(
        ("maps", "age", "kind"), OUTPUT
    )


def test_what_is_added_to_the_image_and_put_out_is_told_to_be_the_output() -> None:
    space = found(Net(lambda n, x: x - n.b(torch.relu(n.a(x))), a=conv(4, 6), b=conv(6, 4)))
    assert reason(space, "b") == OUTPUT


def test_a_single_channel_inside_a_network_is_told_to_be_one() -> None:
    def attended(n: Any, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.a(x))
        return n.head(out(x * n.mask(x).sigmoid()))

    net = Net(attended, a=conv(4, 6), mask=nn.Conv2d(6, 1, 1), head=nn.Linear(6, 3))
    space = found(net)
    assert reason(space, "mask") == "it has a single channel, which cannot go"
    assert reason(space, "head") == OUTPUT


def test_an_output_without_a_gradient_is_refused_with_what_to_return() -> None:
    net = Net(lambda n, x: n.b(torch.relu(n.a(x))).argmax(1), a=conv(4, 6), b=conv(6, 3))
    with pytest.raises(ModelError, match="must return scores, not what argmax"):
        found(net)


def test_places_of_the_largest_token_leave_the_channels_to_be_followed() -> None:
    net = Net(lambda n, x: n.b(torch.relu(n.a(x))).flatten(2).argmax(2), a=conv(4, 6), b=conv(6, 3))
    with pytest.raises(ModelError, match=OUTPUT):
        found(net)


def test_no_option_is_named_where_none_would_help() -> None:
    net = Net(lambda n, x: n.a(x), a=conv(4, 6))
    with pytest.raises(ModelError, match="whatever the options"):
        found(net)
    with pytest.raises(ModelError, match="--ignore"):
        find_groups(nn.Sequential(conv(4, 6), conv(6, 3)).eval(), IMAGES, ignore=["0"])
