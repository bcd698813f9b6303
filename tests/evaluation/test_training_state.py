"""What recording a step changes is put back, and what cannot be repeated is seen."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from autoprune.evaluation.descent import make_optimizer
from autoprune.evaluation.environment import prepare_training, settings_kept
from autoprune.evaluation.training_state import TrainingState


class Odd(nn.Module):
    """A buffer that no state dict has, one that is bound anew, and whatever is asked for."""

    def __init__(self, act=lambda: None) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("calls", torch.zeros(()), persistent=False)
        self.register_buffer("mean", torch.zeros(()))
        self.act = act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.add_(1)
        self.act()
        return self.norm(self.linear(x))


class Rebinding(Odd):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean = 0.9 * self.mean + x.mean()
        return super().forward(x)


def step(model: nn.Module, optimizer: torch.optim.SGD) -> None:
    optimizer.zero_grad()
    model(torch.arange(12.0).reshape(4, 3) ** 2).pow(2).sum().backward()
    optimizer.step()


def everything_of(model: nn.Module, optimizer: torch.optim.SGD) -> list[torch.Tensor]:
    momenta = [state["momentum_buffer"] for state in optimizer.state.values()]
    return [t.detach().clone() for t in (*model.parameters(), *model.buffers(), *momenta)]


@pytest.mark.parametrize("network", [Odd, Rebinding])
def test_all_of_it_is_put_back_in_the_memory_that_it_was_in(network):
    model = network().train()
    optimizer = make_optimizer(model, 0.1, 0.9, 0.0)
    step(model, optimizer)
    before, buffers = everything_of(model, optimizer), list(model.buffers())
    drawn = torch.get_rng_state()
    kept = TrainingState(model, optimizer)
    step(model, optimizer)
    torch.rand(3)
    kept.restore()
    assert all(map(torch.equal, before, everything_of(model, optimizer)))
    assert all(a is b for a, b in zip(buffers, model.buffers(), strict=True))
    assert torch.equal(drawn, torch.get_rng_state())


def test_the_first_steps_momentum_is_put_back_to_nothing():
    model = Odd().train()
    optimizer = make_optimizer(model, 0.1, 0.9, 0.0)
    kept = TrainingState(model, optimizer)
    step(model, optimizer)
    kept.restore()
    assert all(not state["momentum_buffer"].any() for state in optimizer.state.values())


@pytest.mark.parametrize(
    ("network", "act", "repeatable"),
    [
        (Odd, lambda: None, True),
        (Rebinding, lambda: None, False),
        (Odd, random.random, False),
        (Odd, lambda: np.random.rand(), False),
        (Odd, lambda: torch.rand(()), False),
    ],
    ids=["plain", "another tensor", "random", "numpy", "torch"],
)
def test_what_would_not_be_repeated_is_seen(network, act, repeatable):
    model = network(act).train()
    optimizer = make_optimizer(model, 0.1, 0.9, 0.0)
    kept = TrainingState(model, optimizer)
    step(model, optimizer)
    assert kept.repeatable() is repeatable


def test_settings_are_those_of_before_afterwards():
    threads = torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    try:
        with settings_kept():
            prepare_training(threads + 1)
            assert not torch.are_deterministic_algorithms_enabled()
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == threads
    finally:
        torch.use_deterministic_algorithms(False)
