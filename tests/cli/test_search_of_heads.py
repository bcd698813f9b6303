"""Networks with attention are searched for heads, from submitting to loading the bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from attention_networks import attending
from tiny_net import split_loaders
from torch import nn

import autoprune
from autoprune.models.attention import SelfAttention
from autoprune.models.registry import build_model

IMAGE = torch.zeros(1, 1, 8, 8)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> autoprune.SearchResult:
    return autoprune.search(
        attending(),
        IMAGE,
        **split_loaders(),
        budget="macs=70%",
        db=str(tmp_path_factory.mktemp("heads") / "jobs.db"),
        trials=2,
        race_steps=1,
        finetune_epochs=1,
        fidelity={"steps": 1, "batch_size": 16},
        searcher="random",
    )


def test_the_network_found_has_fewer_heads_under_the_budget(
    result: autoprune.SearchResult,
) -> None:
    assert list(result.schedule.groups) == ["attention"]
    width = result.schedule.groups["attention"].width
    assert 1 <= width < 4
    found = result.model.get_submodule("attention")
    assert isinstance(found, SelfAttention)
    assert (found.heads, found.head_dim) == (width, 8)
    assert found.in_proj_weight.shape == (3 * 8 * width, 32)
    costs = result.schedule.costs
    assert costs.macs[1] <= 0.7 * costs.macs[0]


@pytest.mark.parametrize("source", [attending, attending()])
def test_the_bundle_loads_from_the_users_own_network(
    result: autoprune.SearchResult, tmp_path: Path, source: object
) -> None:
    loaded = autoprune.load(result.export(tmp_path / "bundle"), model=source)
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded(images), result.model(images))
    if isinstance(source, nn.Module):
        assert type(source.get_submodule("attention")) is nn.MultiheadAttention


def test_models_by_name_come_with_prunable_attention() -> None:
    factory = Path(__file__).parents[1] / "attention_networks.py"
    model = build_model(f"{factory}:attending", classes=10)
    assert isinstance(model.get_submodule("attention"), SelfAttention)
    named = build_model("torchvision:vit_b_32", classes=10)
    assert sum(isinstance(module, SelfAttention) for module in named.modules()) == 12
