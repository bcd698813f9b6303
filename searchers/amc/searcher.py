"""AMC's episodes as trials: explore, remember, learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from searchers.amc.ddpg import BATCH, Agent
from searchers.amc.replay import Episode, Replay
from searchers.amc.walk import FEATURES, Walk
from searchers.base import Arrays, Searcher
from searchers.contract import (
    Done,
    FloatArray,
    MisuseError,
    Outcome,
    Problem,
    SearcherError,
    Suggestion,
    Wait,
)
from searchers.projection import widen
from searchers.restoring import stored
from searchers.seen import Seen
from searchers.uniform import beginnings

Reward = Literal["accuracy", "accuracy-flops"]

Act = Callable[[Sequence[int], FloatArray], int]
"""(widths taken so far, features of the next group) -> its width."""

_WEIGHTS, _NOISE, _SAMPLES = range(3)
"""First keys of the generators, so that no two draw the same numbers."""

_ATTEMPTS = 10
_SIGMA = 0.5
_DECAY = 0.95


class AMC(Searcher):
    """A DDPG agent picks one keep ratio after the other; one episode is one trial.

    ::

        >>> from searchers import AMC, Done
        >>> from searchers.testing import sample_problem, sample_score
        >>> problem = sample_problem(trials=12)
        >>> score = sample_score(problem)
        >>> searcher = AMC(problem, seed=0)
        >>> while not isinstance(suggestion := searcher.ask(), Done):
        ...     searcher.tell(suggestion.id, score(suggestion))

    The first episode is the uniform schedule, widened to the budget, as a walk; the next ones act
    uniformly at random; the later ones follow the actor with noise that fades. Every action is
    clipped so that the budget stays within reach, and where accuracy is the reward what a walk ends
    with is widened until the budget is used up. Torch runs in one thread here and the caller's
    setting is put back, so its thread count changes no proposal.

    Args:
        problem: every group needs ``traits``.
        seed: of weights, noise and samples.
        reward: ``accuracy``, or ``accuracy-flops``: -(1 - accuracy) * ln(cost). Without accuracies
            the reward is the negated loss.
        lower_bound: the smallest keep ratio, where the budget can be met without going below.
        warmup: random episodes; by default min(100, trials / 4).
        full_cost: cost of the unpruned network in the unit whose logarithm ``accuracy-flops``
            takes; must be large enough for every schedule to cost more than one unit.
        first: schedules that the first episodes take before that, whatever the agent would do.
        original_rounding: round as the authors' program does, which may overshoot the budget: for
            comparison with its numbers alone.

    Raises:
        ProblemError: a group has no traits.
    """

    name = "amc"
    version = 3

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        reward: Reward = "accuracy",
        lower_bound: float = 0.2,
        warmup: int | None = None,
        full_cost: float = 1e9,
        first: Sequence[tuple[int, ...]] = (),
        original_rounding: bool = False,
    ) -> None:
        super().__init__(problem, seed=seed)
        if reward not in ("accuracy", "accuracy-flops"):
            raise SearcherError(
                f"amc: reward must be 'accuracy' or 'accuracy-flops', got {reward!r}"
            )
        if not 0.0 < lower_bound <= 1.0 or full_cost <= 1.0:
            raise SearcherError(
                "amc: lower_bound must be in (0, 1] and full_cost above 1, got "
                f"{lower_bound} and {full_cost}"
            )
        self._warmup = min(100, max(1, problem.trials // 4)) if warmup is None else warmup
        if self._warmup < 1:
            raise SearcherError(f"amc: warmup must be at least 1, got {warmup}")
        self._reward_rule, self._full_cost = reward, full_cost
        self._uses_budget_up = reward == "accuracy" and not original_rounding
        self._first = beginnings(problem, first)
        self._walk = Walk(problem, lower_bound, original_rounding)
        self._agent = Agent(self._rng(_WEIGHTS))
        self._replay = Replay(self._warmup * len(problem.groups))
        self._episodes: dict[int, Episode] = {}
        self._told = 0
        self._seen = Seen()

    def _propose(self) -> Suggestion | Wait | Done:
        for attempt in range(_ATTEMPTS):
            widths, episode = self._run_episode(attempt)
            if widths not in self._seen:
                break
        self._seen.add(widths)
        self._episodes[self._asked] = episode
        return self._suggest(widths)

    def _run_episode(self, attempt: int) -> tuple[tuple[int, ...], Episode]:
        """Walk all groups; a later attempt at the same episode explores more."""
        rng = self._rng(_NOISE, self._asked, attempt)
        sigma = max(self._sigma(), 0.02 * attempt)
        widths, episode = self._walked(lambda taken, state: self._width(taken, state, sigma, rng))
        if not self._uses_budget_up or self._asked < len(self._first):
            return widths, episode
        # The agent learns from what is evaluated, so the episode is that which leads there.
        wider = widen(self.problem, widths)
        return self._walked(lambda taken, _state: wider[len(taken)])

    def _walked(self, act: Act) -> tuple[tuple[int, ...], Episode]:
        taken: list[int] = []
        states, actions = [], [1.0]
        for group in self.problem.groups:
            states.append(self._walk.features(taken, actions[-1]))
            taken.append(act(taken, states[-1]))
            actions.append(taken[-1] / group.units)
        episode = Episode(np.array(states, np.float32), np.array(actions[1:], np.float32))
        return tuple(taken), episode

    def _width(
        self, taken: Sequence[int], state: Any, sigma: float, rng: np.random.Generator
    ) -> int:
        """The next group's width: the agent's, or that of a schedule to begin with."""
        if self._asked < len(self._first):
            return self._first[self._asked][len(taken)]
        return self._walk.width(taken, self._act(state, sigma, rng))

    def _act(self, state: Any, sigma: float, rng: np.random.Generator) -> float:
        if self._asked < self._warmup:
            return float(rng.uniform())
        return _truncated_normal(rng, self._agent.act(state), sigma)

    def _sigma(self) -> float:
        """The noise, 0.5 decaying by 0.95 an episode where the warm-up has 100 episodes."""
        later = max(0, self._asked - self._warmup)
        return float(_SIGMA * _DECAY ** (later * 100.0 / self._warmup))

    def _observe(self, suggestion: Suggestion, outcome: Outcome) -> None:
        reward = None if outcome.failed else self._reward(suggestion, outcome)
        episode = self._episodes.pop(suggestion.id)
        self._told += 1
        if reward is None:
            return
        self._replay.add(episode, reward)
        if self._told > self._warmup:
            rngs = [self._rng(_SAMPLES, self._told, step) for step in range(len(episode.actions))]
            self._agent.learn([self._replay.sample(rng, BATCH) for rng in rngs])

    def _reward(self, suggestion: Suggestion, outcome: Outcome) -> float:
        """The rewards of section 3.3."""
        if outcome.loss is None:
            raise MisuseError(f"suggestion {suggestion.id}: a failure has no reward")
        if outcome.accuracy is None:
            return -outcome.loss
        if self._reward_rule == "accuracy":
            return outcome.accuracy
        rows = np.array([suggestion.widths, self.problem.full])
        load, full = self.problem.loads(rows)
        return float(-(1.0 - outcome.accuracy) * np.log(self._full_cost * load / full))

    def _dump(self) -> tuple[Mapping[str, object], Arrays]:
        ids = sorted(self._episodes)
        groups = len(self.problem.groups)
        states = [self._episodes[key].states for key in ids]
        actions = [self._episodes[key].actions for key in ids]
        return {"episodes": ids, "told": self._told}, {
            **{f"agent.{key}": array for key, array in self._agent.dump().items()},
            **self._replay.dump(),
            "states": np.array(states, dtype=np.float32).reshape(-1, groups, FEATURES),
            "actions": np.array(actions, dtype=np.float32).reshape(-1, groups),
            "seen": self._seen.array(groups),
        }

    def _load(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        count, groups = len(values["episodes"]), len(self.problem.groups)
        states = stored(arrays, "states", (count, groups, FEATURES), np.float32)
        actions = stored(arrays, "actions", (count, groups), np.float32)
        episodes = [Episode(*pair) for pair in zip(states, actions, strict=True)]
        seen = Seen.stored(arrays, groups)
        self._agent.load(
            {k.removeprefix("agent."): a for k, a in arrays.items() if k.startswith("agent.")}
        )
        self._replay.load(arrays)
        self._episodes = dict(zip(values["episodes"], episodes, strict=True))
        self._told, self._seen = int(values["told"]), seen


def _truncated_normal(rng: np.random.Generator, mean: float, sigma: float) -> float:
    """A normal draw within [0, 1]; the mean lies within, so few draws are thrown away."""
    while True:
        drawn = float(rng.normal(mean, sigma))
        if 0.0 <= drawn <= 1.0:
            return drawn
