import pytest
import torch
from tiny_network import space_of, trained
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.registry import load_data
from autoprune.evaluation.environment import prepare_training
from autoprune.pruning.space import SearchSpace


@pytest.fixture(autouse=True, scope="session")
def _one_training_thread():
    before = torch.get_num_threads()
    prepare_training(1)
    yield
    prepare_training(before)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_data("digits")


@pytest.fixture(scope="session")
def network(digits: Dataset) -> nn.Module:
    """Trained; tests must not change it."""
    return trained(digits)


@pytest.fixture(scope="session")
def space(network: nn.Module) -> SearchSpace:
    return space_of(network)
