"""The agent's memory: transitions of whole episodes, the oldest forgotten first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from searchers.amc.walk import FEATURES
from searchers.restoring import stored

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Episode:
    """One walk over L groups.

    Args:
        states: what the agent saw, [L, 10].
        actions: keep ratios that were taken after clipping and rounding, [L].
    """

    states: Float32
    actions: Float32


@dataclass(frozen=True)
class Batch:
    """Transitions: states [B, 10], actions [B], rewards [B], next states [B, 10], done [B]."""

    states: Float32
    actions: Float32
    rewards: Float32
    following: Float32
    done: Float32


class Replay:
    """Up to ``capacity`` transitions."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # Columns: state, action, reward, next state, done.
        self._rows: Float32 = np.empty((0, 2 * FEATURES + 3), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, episode: Episode, reward: float) -> None:
        """Remember every step of an episode, each with the final reward (section 3.2)."""
        steps = len(episode.actions)
        done = np.zeros((steps, 1), dtype=np.float32)
        done[-1] = 1.0
        following = np.concatenate([episode.states[1:], episode.states[-1:]])
        rewards = np.full((steps, 1), reward, dtype=np.float32)
        columns = [episode.states, episode.actions[:, None], rewards, following, done]
        rows = np.concatenate([self._rows, np.concatenate(columns, axis=1)])
        self._rows = rows[-self._capacity :].astype(np.float32)

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw transitions, without replacement where there are enough."""
        drawn = rng.choice(len(self._rows), size=size, replace=len(self._rows) < size)
        rows = self._rows[drawn]
        split = [FEATURES, FEATURES + 1, FEATURES + 2, 2 * FEATURES + 2]
        states, actions, rewards, following, done = np.split(rows, split, axis=1)
        return Batch(states, actions[:, 0], rewards[:, 0], following, done[:, 0])

    def dump(self) -> dict[str, Float32]:
        """Named arrays."""
        return {"replay": self._rows}

    def load(self, arrays: Mapping[str, Any]) -> None:
        """The inverse of :meth:`dump`."""
        self._rows = stored(arrays, "replay", (None, 2 * FEATURES + 3), np.float32).copy()
