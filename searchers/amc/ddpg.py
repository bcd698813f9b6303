"""Deep deterministic policy gradient (Lillicrap et al., 2016, arXiv 1509.02971), as AMC sets it.

Everything is float32 on the CPU and in one thread: the sums of a matrix product depend on how it
is split, so another thread count would give other proposals.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from searchers.amc.replay import Batch, Float32
from searchers.amc.walk import FEATURES
from searchers.contract import FloatArray
from searchers.restoring import stored

HIDDEN = 300
BATCH = 64
ACTOR_RATE = 1e-4
CRITIC_RATE = 1e-3
TAU = 0.01
GAMMA = 1.0
BASELINE_RATE = 0.5


class Actor(nn.Module):
    """State [B, 10] -> keep ratio [B]: 300, 300, 1 with ReLU and a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = _linear(FEATURES, HIDDEN), _linear(HIDDEN, HIDDEN)
        self.head = _linear(HIDDEN, 1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Act on every state."""
        hidden = torch.relu(self.second(torch.relu(self.first(states))))
        return torch.sigmoid(self.head(hidden)).squeeze(-1)


class Critic(nn.Module):
    """State [B, 10] and action [B] -> value [B]: fc(state) + fc(action), 300, 1."""

    def __init__(self) -> None:
        super().__init__()
        self.from_state, self.from_action = _linear(FEATURES, HIDDEN), _linear(1, HIDDEN)
        self.second = _linear(HIDDEN, HIDDEN)
        self.head = _linear(HIDDEN, 1)

    def forward(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Value every pair."""
        first = torch.relu(self.from_state(states) + self.from_action(actions.unsqueeze(-1)))
        return self.head(torch.relu(self.second(first))).squeeze(-1)  # type: ignore[no-any-return]


class Agent:
    """Actor, critic, their slow copies, their optimisers and the reward's moving baseline.

    Args:
        rng: draws the initial weights.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._actor, self._critic = Actor(), Critic()
        for network in (self._actor, self._critic):
            _initialise(network, rng)
        self._target_actor = copy.deepcopy(self._actor)
        self._target_critic = copy.deepcopy(self._critic)
        self._actor_steps = _adam(self._actor, ACTOR_RATE)
        self._critic_steps = _adam(self._critic, CRITIC_RATE)
        self._baseline: float | None = None

    def act(self, state: FloatArray) -> float:
        """The actor's keep ratio for one state [10]."""
        with one_thread(), torch.no_grad():
            return float(self._actor(torch.from_numpy(state.astype(np.float32))[None, :])[0])

    def learn(self, batches: list[Batch]) -> None:
        """One update of critic, actor and their slow copies for every batch."""
        with one_thread(), torch.enable_grad():
            for batch in batches:
                self._update(batch)

    def _update(self, batch: Batch) -> None:
        states, actions = torch.from_numpy(batch.states), torch.from_numpy(batch.actions)
        target = torch.from_numpy(self._targets(batch))
        self._critic_steps.zero_grad()
        error = nn.functional.mse_loss(self._critic(states, actions), target)
        torch.autograd.backward(error)
        self._critic_steps.step()
        self._actor_steps.zero_grad()
        torch.autograd.backward(-self._critic(states, self._actor(states)).mean())
        self._actor_steps.step()
        _follow(self._target_actor, self._actor)
        _follow(self._target_critic, self._critic)

    def _targets(self, batch: Batch) -> Float32:
        """(r - b) + gamma (1 - done) Q'(s', mu'(s')), equation 2; [B]."""
        mean = float(batch.rewards.mean(dtype=np.float64))
        before = mean if self._baseline is None else self._baseline
        self._baseline = before + BASELINE_RATE * (mean - before)
        following = torch.from_numpy(batch.following)
        with torch.no_grad():
            value = self._target_critic(following, self._target_actor(following)).numpy()
        rewards = batch.rewards - np.float32(self._baseline)
        return np.asarray(rewards + GAMMA * (1.0 - batch.done) * value, dtype=np.float32)

    def dump(self) -> dict[str, FloatArray | Float32]:
        """Named arrays: every weight, every moment of both optimisers, the baseline."""
        arrays: dict[str, Any] = {}
        for name, network in self._networks().items():
            for key, tensor in network.state_dict().items():
                arrays[f"{name}.{key}"] = tensor.numpy().copy()
        for name, optimiser in self._optimisers().items():
            for index, moments in optimiser.state_dict()["state"].items():
                for key, tensor in moments.items():
                    arrays[f"{name}.{index}.{key}"] = tensor.numpy().copy()
        known = [] if self._baseline is None else [self._baseline]
        return {**arrays, "baseline": np.array(known, dtype=np.float64)}

    def load(self, arrays: Mapping[str, Any]) -> None:
        """The inverse of :meth:`dump`."""
        with one_thread():
            for name, network in self._networks().items():
                shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
                network.load_state_dict(_tensors(arrays, name, shapes))
            for name, optimiser in self._optimisers().items():
                groups = optimiser.state_dict()["param_groups"]
                moments = _moments(arrays, name, optimiser)
                optimiser.load_state_dict({"state": moments, "param_groups": groups})
        baseline = stored(arrays, "baseline", (None,))
        self._baseline = float(baseline[0]) if len(baseline) else None

    def _networks(self) -> dict[str, nn.Module]:
        return {
            "actor": self._actor,
            "critic": self._critic,
            "target_actor": self._target_actor,
            "target_critic": self._target_critic,
        }

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"actor_steps": self._actor_steps, "critic_steps": self._critic_steps}


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch in one thread, then put the caller's setting back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A layer without weights yet: torch's own would draw from its global generator."""
    return nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")


def _initialise(network: nn.Module, rng: np.random.Generator) -> None:
    """Uniform within 1 / sqrt(inputs), torch's own default, from our generator."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                for tensor in (layer.weight, layer.bias):
                    drawn = rng.uniform(-bound, bound, size=tuple(tensor.shape))
                    tensor.copy_(torch.from_numpy(drawn.astype(np.float32)))


def _adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=rate, foreach=False)


def _follow(slow: nn.Module, fast: nn.Module) -> None:
    """Polyak averaging: slow <- (1 - tau) slow + tau fast."""
    with torch.no_grad():
        for behind, ahead in zip(slow.parameters(), fast.parameters(), strict=True):
            behind.mul_(1.0 - TAU).add_(ahead, alpha=TAU)


def _moments(
    arrays: Mapping[str, Any], name: str, optimiser: torch.optim.Optimizer
) -> dict[int, dict[str, torch.Tensor]]:
    """What Adam keeps of every parameter; nothing before its first step."""
    if not any(key.startswith(f"{name}.") for key in arrays):
        return {}
    moments = {}
    for index, parameter in enumerate(optimiser.param_groups[0]["params"]):
        shape = tuple(parameter.shape)
        shapes = {"step": (), "exp_avg": shape, "exp_avg_sq": shape}
        moments[index] = _tensors(arrays, f"{name}.{index}", shapes)
    return moments


def _tensors(
    arrays: Mapping[str, Any], prefix: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, torch.Tensor]:
    """Copies of the arrays ``prefix.key``, once they have their shapes."""
    return {
        key: torch.from_numpy(stored(arrays, f"{prefix}.{key}", shape, np.float32).copy())
        for key, shape in shapes.items()
    }
