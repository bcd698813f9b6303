"""Heads of attention are pruned like channels: sliced networks compute what masked ones do."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from attention_networks import network
from torch import nn

from autoprune.errors import ModelError
from autoprune.export.onnx_files import difference, run_onnx
from autoprune.models.attention import HeadedAttention, prunable_attention
from autoprune.pruning.criteria import unit_norms
from autoprune.pruning.groups import find_groups
from autoprune.pruning.heads import head_group, with_heads
from autoprune.pruning.masking import masked_state
from autoprune.pruning.preflight import preflight
from autoprune.pruning.space import Kept, PruningGroup, SearchSpace
from autoprune.pruning.surgery import expand, fit, prune, slice_state
from autoprune.pruning.widths import legal_heads
from benchmarks.random_schedules import random_kept
from latency_tables.runtimes.onnx_export import export_onnx

NETWORKS = ["vit", "swin", "swin_v2", "maxvit", "timm_vit", "length_first"]


@cache
def heads_of(name: str) -> tuple[nn.Module, torch.Tensor, SearchSpace]:
    """A network with prunable heads, inputs, and its head groups."""
    model, inputs = network(name)
    model = prunable_attention(model)
    return model, inputs, with_heads(SearchSpace(()), model, (), ignore=(), min_keep=0.1)


def kept_heads(space: SearchSpace, seed: int) -> Kept:
    """Random heads, fewer than all in every group."""
    generator = torch.Generator().manual_seed(seed)
    kept = {}
    for group in space.groups:
        width = int(torch.randint(1, group.units, (), generator=generator))
        kept[group.name] = torch.randperm(group.units, generator=generator)[:width].sort().values
    return kept


def masked(model: nn.Module, groups: tuple[PruningGroup, ...], kept: Kept) -> nn.Module:
    state: Any = model.state_dict()
    for group in groups:
        state = masked_state(state, group, kept[group.name])
    return fit(model, state)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_without_heads_compute_what_masked_ones_do(name: str) -> None:
    model, inputs, space = heads_of(name)
    assert space.groups
    for seed in range(3):
        kept = kept_heads(space, seed)
        with torch.no_grad():
            expected, full = masked(model, space.groups, kept)(inputs), model(inputs)
            got = prune(model, space, kept)(inputs)
        assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()
        assert (full - expected).abs().max() > 1e-3 * full.abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_head_group_passes_preflight(name: str) -> None:
    model, inputs, space = heads_of(name)
    checked = preflight(model, inputs, space)
    assert checked == space


@pytest.mark.parametrize("name", NETWORKS)
def test_heads_follow_the_weights_through_slicing_fitting_and_widening(name: str) -> None:
    model, inputs, space = heads_of(name)
    kept = kept_heads(space, 4)
    pruned = prune(model, space, kept)
    by_layer = {group.name: len(kept[group.name]) for group in space.groups}
    for layer, module in pruned.named_modules():
        if isinstance(module, HeadedAttention):
            whole = model.get_submodule(layer)
            assert module.heads in {
                by_layer.get(f"{layer}{end}") for end in ("", ".qkv", ".to_qkv")
            }
            assert (module.head_dim, module.heads) == (whole.head_dim, module.heads)
    rebuilt = fit(model, pruned.state_dict())
    with torch.no_grad():
        assert torch.equal(rebuilt(inputs), pruned(inputs))
    base = model.state_dict()
    wide = expand(pruned.state_dict(), base, space, kept)
    assert {n: t.shape for n, t in wide.items()} == {n: t.shape for n, t in base.items()}
    again = slice_state(wide, space, kept)
    assert all(torch.equal(again[n], t) for n, t in pruned.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_with_fewer_heads_train(name: str) -> None:
    model, inputs, space = heads_of(name)
    pruned = prune(model, space, kept_heads(space, 5)).train()
    optimizer = torch.optim.Adam(pruned.parameters(), lr=0.01)
    before = {n: t.clone() for n, t in pruned.state_dict().items()}
    for _ in range(2):
        optimizer.zero_grad()
        pruned(inputs).square().mean().backward()
        assert all(
            p.grad is not None and bool(p.grad.isfinite().all()) for p in pruned.parameters()
        )
        optimizer.step()
    after = pruned.state_dict()
    for group in space.groups:
        for place in group.slices:
            assert not torch.equal(before[place.tensor], after[place.tensor]), place.tensor


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_with_fewer_heads_are_exported(name: str) -> None:
    model, inputs, space = heads_of(name)
    pruned = prune(model, space, kept_heads(space, 6)).eval()
    with torch.inference_mode():
        got = run_onnx(export_onnx(pruned, inputs), inputs, "the file")
        assert difference(got, pruned(inputs)) <= 1e-4


def test_a_head_is_its_rows_columns_and_position_bias() -> None:
    model, _, space = heads_of("swin_v2")
    group = space.groups[-1]
    places = {place.tensor.rpartition("attn.")[2]: place for place in group.slices}
    assert group.name.endswith("attn.qkv")
    assert {name: (place.dim, place.role) for name, place in places.items()} == {
        "qkv.weight": (0, "output"),
        "qkv.bias": (0, "output"),
        "proj.weight": (1, "input"),
        "logit_scale": (0, "through"),
        "cpb_mlp.2.weight": (0, "through"),
    }
    # Six heads of eight features: queries from 0, keys from 48, values from 96.
    rows = [*range(8, 16), *range(56, 64), *range(104, 112)]
    assert places["qkv.weight"].index[1].tolist() == rows
    assert places["proj.weight"].index[1].tolist() == [*range(8, 16)]
    norms = unit_norms(model.state_dict(), space)[group.name]
    weight = model.state_dict()[places["qkv.weight"].tensor]
    assert norms[1] == pytest.approx(float(weight[rows].square().sum()), rel=1e-6)


@pytest.mark.parametrize(
    ("heads", "min_keep", "expected"),
    [
        (1, 0.1, (1,)),
        (3, 0.1, (1, 2, 3)),
        (12, 0.5, tuple(range(6, 13))),
        (4, 1.0, (4,)),
        (32, 0.0, (1, 3, 5, 7, 9, 11, 13, 15, 18, 20, 22, 24, 26, 28, 30, 32)),
    ],
)
def test_legal_numbers_of_heads_are_evenly_spread(
    heads: int, min_keep: float, expected: tuple[int, ...]
) -> None:
    assert legal_heads(heads, min_keep) == expected


def test_found_groups_hold_heads_in_network_order_and_patterns_leave_them_alone() -> None:
    model, inputs, _ = heads_of("vit")
    blocks = [f"encoder.layers.encoder_layer_{number}" for number in range(2)]
    space = find_groups(model, inputs)
    names = [group.name for group in space.groups]
    assert names == [f"{b}.{each}" for b in blocks for each in ("self_attention", "mlp.0")]
    assert space.groups[0].choices == (1, 2, 3, 4)
    kept = random_kept(space, 3)
    with torch.no_grad():
        expected = masked(model, space.groups, kept)(inputs)
        got = prune(model, space, kept)(inputs)
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()
    space = find_groups(model, inputs, ignore=["*layer_1.self_attention"])
    assert [group.name for group in space.groups] == [names[0], names[1], names[3]]
    assert "excluded by the pattern" in str(space.left_out)
    with pytest.raises(ModelError, match="matches no layer"):
        find_groups(model, inputs, ignore=["*layer_7.self_attention"])


def test_groups_over_the_channels_of_heads_give_way() -> None:
    model, _, space = heads_of("swin")
    group = space.groups[0]
    channels = PruningGroup(group.name, 72, (8, 72), group.slices[:1], group.producers)
    other = head_group("", prunable_attention(nn.MultiheadAttention(8, 2)))
    found = with_heads(SearchSpace((channels, other)), model, (), ignore=(), min_keep=0.5)
    assert other in found.groups
    assert {g.name: g.units for g in found.groups}[group.name] == 3
    assert len(found.groups) == 1 + len(space.groups)
