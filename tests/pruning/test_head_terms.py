"""What a network without some heads costs, read off the unpruned one."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from attention_networks import network
from made_up_tables import made_up_price, made_up_table
from torch import nn

from autoprune.errors import ModelError
from autoprune.models.attention import prunable_attention
from autoprune.pruning.cost import CostModel
from autoprune.pruning.heads import with_heads
from autoprune.pruning.network import Network, read_network
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import prune
from benchmarks.random_schedules import random_kept
from latency_tables.operators import Operator
from latency_tables.runtimes import runtime

NOTHING = SearchSpace(())


class LengthFirst(nn.Module):
    """Attention over [length, images, features], with a mask and with its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 12)
        self.attention = nn.MultiheadAttention(12, 3)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x).transpose(0, 1)
        mask = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
        x = x + self.attention(x, x, x, attn_mask=mask)[0]
        x = x + self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]
        return self.head(x.transpose(0, 1).mean(1))


def prepared(name: str) -> tuple[nn.Module, torch.Tensor, SearchSpace]:
    if name == "length_first":
        model, inputs = LengthFirst().eval(), torch.randn(2, 7, 6)
    else:
        model, inputs = network(name)
    model = prunable_attention(model)
    return model, inputs, with_heads(NOTHING, model, (), ignore=(), min_keep=0.1)


@cache
def read(name: str) -> tuple[nn.Module, torch.Tensor, SearchSpace, Network]:
    model, inputs, space = prepared(name)
    return model, inputs, space, read_network(model, inputs, space)


@pytest.mark.parametrize("name", ["vit", "swin", "swin_v2", "maxvit", "timm_vit", "length_first"])
def test_operators_at_a_schedule_are_those_of_the_pruned_network(name: str) -> None:
    model, inputs, space, whole = read(name)
    table = made_up_table(whole.operators())
    costs, normalise = CostModel(space, whole, table), runtime("onnxruntime").normalise
    for seed in range(4):
        kept = random_kept(space, seed)
        widths = [len(kept[group.name]) for group in space.groups]
        alone = read_network(prune(model, space, kept), inputs, NOTHING)
        operators = [term.operator for term in alone.terms]
        assert [term.at(widths) for term in whole.terms] == operators
        seconds = sum(made_up_price(normalise(each)) for each in operators)
        assert costs.sums(widths)[0] == pytest.approx(seconds, rel=1e-9)
        exact = CostModel(NOTHING, alone)
        assert costs.macs(widths)[0] == pytest.approx(exact.macs([[]])[0], rel=1e-12)
        assert costs.params(widths)[0] == exact.params([[]])[0]


def test_every_number_of_heads_is_measured_where_channels_are_thinned() -> None:
    """No table interpolates between numbers of heads."""
    _, _, space, whole = read("swin")
    thinned = whole.operators(points=2)
    for term in whole.terms:
        if term.repeats is not None:
            ((position, _),) = term.repeats.units.multiples
            for heads in space.groups[position].choices:
                assert term.between(heads, 1) in thinned


def test_products_and_softmax_are_repeated_for_each_head() -> None:
    _, _, _, whole = read("swin")
    repeated = [t for t in whole.terms if t.layer == "features.1.0.attn" and t.repeats is not None]
    # 36 by 44 pixels in patches of 4 are 9 by 11, in windows of 4 by 4 they are 3 by 3.
    assert [term.between(2, 1) for term in repeated] == [
        Operator("matmul", 8, 16, 16, copies=18, variant="scaled_transposed"),
        Operator("add", 16, 16, 18 * 16, variant="per_channel"),
        Operator("softmax", 16, 16, 18 * 16),
        Operator("matmul", 16, 8, 16, copies=18),
    ]


def test_a_norm_of_every_head_is_repeated_for_each_head() -> None:
    _, _, _, whole = read("timm_vit")
    norms = [term for term in whole.terms if term.layer == "blocks.1.attn.q_norm"]
    assert [term.operator for term in norms] == [Operator("layer_norm", 16, 16, 3 * 16)]
    assert [term.at([4, 1]) for term in norms] == [Operator("layer_norm", 16, 16, 16)]


class MixingHeads(nn.Module):
    """What stands between two projections of the same heads."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = nn.functional.linear(x, self.attention.in_proj_weight)
        mixed = self.function(made.unflatten(-1, (3, 3, 4)).select(2, 0))
        return self.attention.out_proj(mixed) + self.attention(x, x, x, need_weights=False)[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda q: nn.functional.layer_norm(q, (3, 4)).flatten(2),
        lambda q: q.transpose(2, 3).flatten(2),
        lambda q: torch.cat([q[:, :, :2], q[:, :, 2:]], 2).flatten(2),
        lambda q: (q @ q.transpose(-1, -2) @ q.softmax(2)).flatten(2),
        lambda q: (q + q[:, :, :1]).flatten(2),
    ],
)
def test_heads_are_refused_where_no_rule_follows_them(function: Any) -> None:
    model, inputs = prunable_attention(MixingHeads(function).eval()), torch.randn(2, 5, 12)
    space = with_heads(NOTHING, model, (), ignore=(), min_keep=0.1)
    with pytest.raises(ModelError, match="where no rule follows them; exclude the layer"):
        read_network(model, inputs, space)


def test_lengths_are_refused_where_nothing_is_divided_by_them() -> None:
    class Lengths(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.linalg.vector_norm(x, dim=-1, keepdim=True)

    with pytest.raises(ModelError, match="takes the length of a tensor for something else"):
        read_network(Lengths(), torch.randn(2, 5, 12), NOTHING)
