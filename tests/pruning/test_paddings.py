"""What convolutions pad by: how it is priced, and that it leaves their channels prunable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import read_network
from autoprune.pruning.space import SearchSpace
from latency_tables.operators import Operator

CONV = Operator("conv", 3, 4, 9, 9, (3, 3), bias=True)
ROW = Operator("conv1d", 3, 4, 1, 9, (1, 3), bias=True)


def priced(model: nn.Module, *shape: int) -> list[Operator]:
    network = read_network(model.eval(), torch.randn(shape), SearchSpace(()))
    return [term.operator for term in network.terms]


@pytest.mark.parametrize(
    ("kernel", "how", "operator"),
    [
        (3, {"padding": "valid"}, CONV),
        (3, {"padding": "same"}, replace(CONV, padding=(1, 1))),
        (
            (3, 5),
            {"padding": "same", "dilation": (2, 3)},
            replace(CONV, kernel=(3, 5), padding=(2, 6), dilation=(2, 3)),
        ),
        (
            4,
            {"padding": "same", "dilation": 2},
            replace(CONV, kernel=(4, 4), padding=(3, 3), dilation=(2, 2)),
        ),
    ],
)
def test_padding_in_words_has_the_price_of_the_numbers_it_stands_for(
    kernel: Any, how: dict[str, Any], operator: Operator
) -> None:
    assert priced(nn.Conv2d(3, 4, kernel, **how), 1, 3, 9, 9) == [operator]


def test_convolutions_of_sequences_take_padding_in_words_too() -> None:
    assert priced(nn.Conv1d(3, 4, 3, padding="valid"), 1, 3, 9) == [ROW]
    same = nn.Conv1d(3, 4, 3, padding="same", dilation=2)
    assert priced(same, 1, 3, 9) == [replace(ROW, padding=(0, 2), dilation=(1, 2))]


def test_what_an_even_kernel_is_padded_by_at_the_end_alone_is_a_copy_before_it() -> None:
    assert priced(nn.Conv2d(3, 4, (4, 3), padding="same"), 1, 3, 9, 9) == [
        Operator("concat", 3, 3, 10, 9),
        replace(CONV, height=10, kernel=(4, 3), padding=(1, 1)),
    ]
    assert priced(nn.Conv1d(3, 4, 2, padding="same"), 1, 3, 9) == [
        Operator("concat", 3, 3, 1, 10),
        replace(ROW, width=10, kernel=(1, 2)),
    ]


def test_the_copy_before_an_even_kernel_has_fewer_channels_where_they_are_pruned() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding="same"), nn.ReLU(), nn.Conv2d(8, 4, 2, padding="same")
    ).eval()
    images = torch.randn(1, 3, 9, 9)
    space = find_groups(model, images)
    copy = next(
        term for term in read_network(model, images, space).terms if term.operator.kind == "concat"
    )
    assert [group.name for group in space.groups] == ["0"]
    assert copy.inputs.multiples == copy.outputs.multiples == ((0, 1),)


def test_zeros_put_around_pixels_cost_a_copy_with_them() -> None:
    model = nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.Conv2d(3, 4, 3, bias=False))
    assert priced(model, 1, 3, 9, 9)[0] == Operator("concat", 3, 3, 10, 12)


@pytest.mark.parametrize(
    ("how", "pad"),
    [
        ("reflect", nn.ReflectionPad2d),
        ("replicate", nn.ReplicationPad2d),
        ("circular", nn.CircularPad2d),
    ],
)
def test_pixels_put_around_pixels_have_a_price_of_their_own(how: str, pad: type[nn.Module]) -> None:
    model = nn.Sequential(pad((1, 2, 0, 1)), nn.Conv2d(3, 4, 3, bias=False))
    expected = Operator("pad", 3, 3, 9, 9, (10, 12), variant=how)
    assert priced(model, 1, 3, 9, 9)[0] == expected
    inside = nn.Conv2d(3, 4, 3, padding=(1, 0), padding_mode=how)
    assert priced(inside, 1, 3, 9, 9)[0] == replace(expected, kernel=(11, 9))


def test_padding_of_sequences_and_cropping_count_as_a_copy() -> None:
    row = nn.Sequential(nn.ReflectionPad1d(2), nn.Conv1d(3, 4, 3))
    assert priced(row, 1, 3, 9)[0].kind == "concat"
    cropped = nn.Sequential(nn.CircularPad2d((1, -1, 0, 0)), nn.Conv2d(3, 4, 3))
    assert priced(cropped, 1, 3, 9, 9)[0].kind == "concat"


def test_the_padding_of_a_pruned_layer_has_fewer_channels() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1, padding_mode="circular")
    ).eval()
    images = torch.randn(1, 3, 9, 9)
    space = find_groups(model, images, divisor=1)
    pad = next(t for t in read_network(model, images, space).terms if t.operator.kind == "pad")
    assert pad.at((5,)) == Operator("pad", 5, 5, 7, 7, (9, 9), variant="circular")
