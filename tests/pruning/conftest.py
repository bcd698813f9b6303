from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from pruning_cases import Grouped, shaken
from torch import nn

from autoprune.models.registry import build_model
from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import Network, read_network
from autoprune.pruning.space import SearchSpace


@dataclass(frozen=True)
class Case:
    """A network with its search space and cost terms; built once, never changed."""

    model: nn.Module
    example: torch.Tensor
    space: SearchSpace
    network: Network


@cache
def build_case(name: str) -> Case:
    shapes = {"autoprune:digits_cnn": (1, 8, 8), "grouped": (3, 8, 8)}
    shape = shapes.get(name, (3, 64, 64) if name.startswith("torchvision") else (3, 32, 32))
    torch.manual_seed(0)
    example = torch.randn(1, *shape)
    model = Grouped().eval() if name == "grouped" else build_model(name, classes=5)
    shaken(model, torch.randn(4, *shape))
    space = find_groups(model, example)
    return Case(model, example, space, read_network(model, example, space))


@pytest.fixture(scope="session")
def case() -> Callable[[str], Case]:
    return build_case


@pytest.fixture(scope="session")
def resnet20() -> Case:
    return build_case("autoprune:resnet20")


@pytest.fixture(scope="session")
def mobilenet() -> Case:
    return build_case("torchvision:mobilenet_v2")


@pytest.fixture(scope="session")
def grouped() -> Case:
    return build_case("grouped")
