"""Functions of single numbers and steps over two tensors: their prices, and what they tie."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from test_dependency_rules import IMAGES, Net, conv, out, spaced, units
from test_network_terms import Computes, operators
from torch import nn
from torch.nn import functional

from autoprune.errors import ModelError
from autoprune.pruning.network import read_network
from latency_tables.operators import Operator

Function = Callable[[torch.Tensor], torch.Tensor]


class PowerMean(nn.Module):
    """A pooling with a power that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([3.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(min=1e-6).pow(self.power).mean((2, 3)).pow(1 / self.power)


PRICED: dict[str, Function] = {
    "abs": torch.abs,
    "celu": functional.celu,
    "cos": torch.cos,
    "exp": torch.exp,
    "hardtanh": functional.hardtanh,
    "log": torch.log,
    "logsigmoid": functional.logsigmoid,
    "mish": functional.mish,
    "pow": lambda x: x**0.5,
    "relu6": lambda x: x.clamp(0, 6),
    "reciprocal": torch.reciprocal,
    "rsqrt": torch.rsqrt,
    "selu": functional.selu,
    "sin": torch.sin,
    "softplus": functional.softplus,
    "sqrt": torch.sqrt,
    "square": torch.square,
}
SHIFTED: dict[str, Function] = {
    "hardtanh": lambda x: x.clamp(max=2),
    "square": lambda x: x**3,
    "pow": lambda x: 2**x,
}


@pytest.mark.parametrize(
    ("name", "function"),
    [
        *PRICED.items(),
        *SHIFTED.items(),
        ("hardtanh", lambda x: torch.clamp_min(x, 0.1)),
        ("hardtanh", lambda x: torch.clamp_max(x, 0.1)),
        ("hardtanh", lambda x: x.clamp(min=torch.zeros(1))),
        ("relu6", functional.relu6),
    ],
)
def test_a_function_is_part_of_the_layer_before_it_or_costs_its_own(
    name: str, function: Function
) -> None:
    alone = Operator("activation", 4, 4, 6, 8, activation=name)
    assert operators(Computes(function), 2, 4, 6, 8) == [alone]
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Computes(function)).eval()
    assert operators(model, 2, 3, 6, 8) == [
        Operator("conv", 3, 4, 6, 8, bias=True, activation=name)
    ]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: -x, Operator("multiply", 4, 4, 6, 8, variant="scalar")),
        (lambda x: 1 - x, Operator("add", 4, 4, 6, 8, variant="scalar")),
        (
            lambda x: torch.maximum(x, torch.zeros(1)),
            Operator("add", 4, 4, 6, 8, variant="scalar"),
        ),
        (lambda x: torch.minimum(x, x), Operator("add", 4, 4, 6, 8)),
    ],
)
def test_a_step_with_a_number_is_told_apart_from_one_of_two_tensors(
    function: Function, expected: Operator
) -> None:
    assert operators(Computes(function), 2, 4, 6, 8) == [expected]


def test_a_power_that_is_learned_is_a_constant_of_the_network() -> None:
    kinds = [(op.kind, op.activation) for op in operators(PowerMean(), 1, 4, 6, 8)]
    powers = ("activation", "pow")
    assert kinds == [("activation", "hardtanh"), powers, ("global_avg_pool", None), powers]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x**x, "powers that depend on the input"),
        (lambda x: x.clamp(min=x.mean(1, keepdim=True)), "'clamp' between tensors.*maximum"),
    ],
)
def test_powers_and_bounds_that_are_computed_have_no_price(function: Function, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        operators(Computes(function), 1, 4, 6, 8)


@pytest.mark.parametrize(
    "function",
    [
        *PRICED.values(),
        *SHIFTED.values(),
        functional.softsign,
        functional.tanhshrink,
        lambda x: 1 - x,
        lambda x: -x,
    ],
)
def test_each_channel_passes_a_function_alone_also_where_zero_becomes_something_else(
    function: Function,
) -> None:
    # Of sigmoids, so that roots, logarithms and reciprocals are finite.
    net = Net(lambda n, x: out(n.b(function(n.a(x).sigmoid()))), a=conv(4, 6), b=conv(6, 3))
    space = spaced(net, IMAGES)
    assert units(space) == {"a": 6}
    terms = read_network(net, IMAGES, space).terms
    assert all(term.at((2,)).in_channels == 2 for term in terms[1:-2])


@pytest.mark.parametrize("pick", [torch.maximum, torch.minimum, torch.max, torch.min])
def test_the_larger_and_the_smaller_of_two_tensors_tie_them_and_cost_an_addition(
    pick: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    net = Net(lambda n, x: out(n.c(pick(n.a(x), n.b(x)))), a=conv(4, 6), b=conv(4, 6), c=conv(6, 3))
    space = spaced(net, IMAGES)
    (group,) = space.groups
    assert (group.units, group.producers) == (6, ("a", "b"))
    terms = read_network(net, IMAGES, space).terms
    assert terms[2].at((5,)) == Operator("add", 5, 5, 8, 8)
