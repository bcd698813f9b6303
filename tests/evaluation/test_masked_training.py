"""What is done with channels in training mode alone, and runs on with fewer of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from autoprune.data.dataset import Dataset
from autoprune.errors import ModelError
from autoprune.evaluation.masked_training import compare_masked
from autoprune.evaluation.trainability import check_trainable
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import Kept, SearchSpace

Doing = Callable[[Tensor], Tensor]


class Network(nn.Module):
    """Does something between its layers in training mode alone."""

    def __init__(self, doing: Doing) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.scores = nn.Linear(8, 10)
        self.doing = doing

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images)
        maps = self.second(self.doing(maps) if self.training else maps)
        return self.scores(maps.mean((2, 3)))


def shuffled(maps: Tensor) -> Tensor:
    return maps.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


def shuffled_at_times(maps: Tensor) -> Tensor:
    return shuffled(maps) if torch.rand(()) < 0.5 else maps


def last_half_at_random(maps: Tensor) -> Tensor:
    at = maps.shape[1] // 2
    return torch.cat([maps[:, :at], maps[:, at:] * (torch.rand(len(maps), 1, 1, 1) < 0.5)], 1)


def paths_of_images(maps: Tensor) -> Tensor:
    return maps * (torch.rand(len(maps), 1, 1, 1) < 0.8)


def dropped(maps: Tensor) -> Tensor:
    """Their draws have other shapes with fewer channels, and cannot be compared."""
    return functional.dropout2d(functional.dropout(maps, 0.3), 0.3)


def mixed(maps: Tensor) -> Tensor:
    return 0.7 * maps + 0.3 * maps[torch.randperm(len(maps))]


def stops_at_times(maps: Tensor) -> Tensor:
    return maps * torch.ones(8, 1, 1) if torch.rand(()) < 0.4 else maps


def made(doing: Doing) -> tuple[nn.Module, SearchSpace, Kept]:
    torch.manual_seed(3)
    model = Network(doing).eval()
    space = find_groups(model, torch.randn(1, 1, 8, 8))
    return model, space, {group.name: torch.tensor([1, 4, 5, 7]) for group in space.groups}


@pytest.mark.parametrize("doing", [shuffled, shuffled_at_times, last_half_at_random])
def test_another_use_of_channels_is_warned_of_by_its_layer(doing: Doing, digits: Dataset) -> None:
    model, space, kept = made(doing)
    check_trainable(model, space, digits, kept)
    told = compare_masked(model, space, digits, kept)
    assert told is not None
    assert told.endswith("leave them whole with --ignore first.0")


@pytest.mark.parametrize("doing", [paths_of_images, dropped, mixed])
def test_what_is_done_to_each_channel_alike_is_not_spoken_of(doing: Doing, digits: Dataset) -> None:
    model, space, kept = made(doing)
    assert compare_masked(model, space, digits, kept) is None


def test_a_path_that_stops_at_times_is_refused(digits: Dataset) -> None:
    model, space, kept = made(stops_at_times)
    with pytest.raises(ModelError, match=r"in training mode the model itself.*--ignore first.0"):
        check_trainable(model, space, digits, kept)
