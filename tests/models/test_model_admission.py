"""What is refused by a look at a model in memory, and layers made for one image."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from autoprune.errors import ModelError
from autoprune.models.admission import check_model, with_lazy_layers_made


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))


def test_a_model_of_integers_beside_floats_is_no_matter() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    model.register_buffer("steps", torch.zeros(3, dtype=torch.int64))
    model.register_buffer("exact", torch.zeros(3, dtype=torch.float64))
    check_model(model)


def test_a_lazy_model_without_a_size_is_refused_until_it_ran() -> None:
    model = with_lazy_layers_made(lazy(), None)
    with pytest.raises(ModelError, match=r"layer '0' is lazy.* run the model once"):
        check_model(model)
    model.eval()(torch.zeros(1, 3, 8, 8))
    check_model(model)


def test_making_lazy_layers_leaves_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = (with_lazy_layers_made(lazy(), (3, 8, 8)) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for (name, weight), other in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(weight, other), name
        assert weight.requires_grad


def test_a_model_that_holds_what_cannot_be_copied_is_refused() -> None:
    model = nn.Linear(2, 2)
    model.calls = (number for number in range(3))
    with pytest.raises(ModelError, match=r"Linear cannot be copied .*generator"):
        check_model(model)


def test_what_passes_is_not_changed() -> None:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    before = copy.deepcopy(model.state_dict())
    check_model(model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
