"""Reading networks with attention, layer norms, token layouts and transposed convolutions."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from autoprune.errors import ModelError
from autoprune.models.registry import build_model
from autoprune.pruning.cost import CostModel
from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import Network, read_network
from autoprune.pruning.space import SearchSpace
from latency_tables.operators import Operator

NOTHING = SearchSpace(())


def read(model: nn.Module, *shape: int) -> Network:
    return read_network(model.eval(), torch.randn(shape), NOTHING)


def operators(model: nn.Module, *shape: int) -> list[Operator]:
    return [term.operator for term in read(model, *shape).terms]


@pytest.mark.parametrize(
    ("name", "batch", "billions", "kinds"),
    [
        ("vit_b_16", 1, 17.564, {"attention": 12, "layer_norm": 25, "linear": 49, "conv": 1}),
        ("swin_t", 2, 4.491, {"matmul": 24, "softmax": 12, "layer_norm": 29, "linear": 52}),
        ("maxvit_t", 1, 5.558, {"matmul": 44, "softmax": 22}),
        ("convnext_tiny", 1, 4.456, {"layer_norm": 23, "linear": 37, "conv": 22, "multiply": 18}),
    ],
)
def test_multiply_adds_are_those_that_torchvision_states(
    name: str, batch: int, billions: float, kinds: dict[str, int]
) -> None:
    """``GFLOPS`` in torchvision's table of weights; they include every product of matrices."""
    model = build_model(f"torchvision:{name}", classes=1000)
    network = read(model, batch, 3, 224, 224)
    counts = Counter(term.operator.kind for term in network.terms)
    assert kinds.items() <= counts.items()
    macs = CostModel(NOTHING, network).macs([[]])[0]
    assert macs / 1e9 == pytest.approx(billions, abs=0.0006)


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.up = nn.ConvTranspose2d(16, 12, 3, 2, 1, output_padding=1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.each = nn.ConvTranspose2d(8, 8, 2, 2, groups=8)
        self.narrow = nn.Conv2d(12, 8, 1)
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.up(torch.relu(self.stem(x)))))
        return self.head(self.each(self.narrow(x)))


def test_transposed_convolutions_take_batch_norms_and_are_priced_at_every_width() -> None:
    model, example = Decoder().eval(), torch.randn(2, 3, 16, 16)
    space = find_groups(model, example, ignore=["narrow"])
    assert [group.name for group in space.groups] == ["stem", "up"]
    network = read_network(model, example, space)
    _, up, _, each, _ = network.terms
    assert up.operator == Operator(
        "conv_transpose", 16, 12, 8, 8, (3, 3), (2, 2), (1, 1), batch_norm=True,
        activation="relu", output_padding=(1, 1),
    )  # fmt: skip
    assert (up.inputs.multiples, up.outputs.multiples) == (((0, 1),), ((1, 1),))
    assert up.macs == 8 * 8 * 9
    assert each.operator.depthwise
    assert each.equal
    widths = {(op.in_channels, op.out_channels) for op in network.operators() if "trans" in op.kind}
    assert (2, 2) in widths
    assert (16, 12) in widths


class Attending(nn.Module):
    def __init__(self, weights: bool) -> None:
        super().__init__()
        self.weights = weights
        self.embed = nn.Linear(4, 32)
        self.norm = nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.wide, self.narrow = nn.Linear(32, 48), nn.Linear(48, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        q = self.norm(x)
        x = x + self.attention(q, q, q, need_weights=self.weights)[0]
        return x + self.narrow(nn.functional.gelu(self.wide(x)))


LINEAR = Operator("linear", 32, 32, 10, bias=True)


@pytest.mark.parametrize(
    ("weights", "products"),
    [
        (False, [Operator("attention", 32, 32, 10, 10, head_dim=8)]),
        (
            True,
            [
                Operator("matmul", 8, 10, 10, copies=4, variant="scaled_transposed"),
                Operator("softmax", 10, 10, 40),
                Operator("matmul", 10, 8, 10, copies=4),
            ],
        ),
    ],
)
def test_attention_is_read_tokens_first_or_not_and_the_rest_stays_prunable(
    weights: bool, products: list[Operator]
) -> None:
    """The averaged attention weights, which nobody takes, cost nothing."""
    model, example = Attending(weights).eval(), torch.randn(2, 10, 4)
    space = find_groups(model, example)
    assert [group.name for group in space.groups] == ["wide"]
    terms = read_network(model, example, space).terms
    add = Operator("add", 32, 32, 10)
    assert [term.operator for term in terms] == [
        LINEAR.with_channels(4, 32),
        Operator("layer_norm", 32, 32, 10),
        LINEAR.with_channels(32, 96),
        *products,
        LINEAR,
        add,
        Operator("linear", 32, 48, 10, bias=True, activation="gelu"),
        LINEAR.with_channels(48, 32),
        add,
    ]
    assert terms[-2].inputs.multiples == ((0, 1),)


class Lambda(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.shift = nn.Parameter(torch.ones(6, 1, 1))
        self.matrix = nn.Parameter(torch.ones(8, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


X = (2, 6, 8, 8)
PIXELS = Operator("add", 6, 6, 8, 8)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda m, x: x + 1, [Operator("add", 6, 6, 8, 8, variant="scalar")]),
        (lambda m, x: m.shift - x, [Operator("add", 6, 6, 8, 8, variant="per_channel")]),
        (lambda m, x: x / x.sigmoid(), [Operator("activation", 6, 6, 8, 8, activation="sigmoid"),
                                        Operator("multiply", 6, 6, 8, 8)]),
        (lambda m, x: x @ m.matrix, [Operator("linear", 8, 5, 48)]),
        (lambda m, x: torch.roll(x, (1, 0), (2, 3)), [Operator("concat", 6, 6, 8, 8)]),
        (lambda m, x: nn.functional.pad(x, (0, 0)), []),
        (lambda m, x: nn.functional.pad(x, (1, 1)), [Operator("concat", 6, 6, 8, 10)]),
        (lambda m, x: nn.functional.group_norm(x, 3), [Operator("group_norm", 6, 6, 8, 8,
                                                                groups=3)]),
        (lambda m, x: x.softmax(1), [Operator("softmax", 6, 6, 1, 64)]),
        (lambda m, x: x.flatten(2).log_softmax(-1), [Operator("softmax", 64, 64, 6,
                                                              variant="log")]),
        (lambda m, x: nn.functional.conv1d(x[:, :, 0], m.shift.new_ones(6, 6, 3)),
         [Operator("conv1d", 6, 6, 1, 8, (1, 3), (1, 1), (0, 0))]),
        (lambda m, x: nn.functional.conv1d(x[0], x[0, :, :, :3]), None),
        (lambda m, x: nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True),
         [Operator("attention", 48, 48, 8, 8, head_dim=8, variant="causal")]),
        (lambda m, x: torch.cat(x.chunk(2, 1), 1), [Operator("concat", 6, 6, 8, 8)]),
    ],
)  # fmt: skip
def test_constants_products_and_copies_have_prices(
    function: Any, expected: list[Operator] | None
) -> None:
    if expected is None:
        with pytest.raises(ModelError, match="computes its weight from its input"):
            operators(Lambda(function), *X)
    else:
        assert operators(Lambda(function), *X) == expected


def test_a_convolution_over_one_dimension_is_one_at_height_one() -> None:
    model = nn.Sequential(nn.Conv1d(4, 6, 3, 2, 1), nn.BatchNorm1d(6), nn.ReLU())
    assert operators(model, 2, 4, 20) == [
        Operator("conv1d", 4, 6, 1, 20, (1, 3), (1, 2), (0, 1), bias=True, batch_norm=True,
                 activation="relu")
    ]  # fmt: skip


def test_prunable_channels_in_a_softmax_over_pixels_are_refused() -> None:
    class Spatial(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            return self.last(x.flatten(2).softmax(-1).view(x.shape))

    model, example = Spatial().eval(), torch.randn(1, 3, 4, 4)
    with pytest.raises(ModelError, match=r"takes prunable channels .*\(--ignore first\)"):
        read_network(model, example, find_groups(model, example))
