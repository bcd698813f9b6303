"""AMC's agent: it learns, replays, and does not depend on torch's settings."""

import numpy as np
import pytest
import torch

from searchers import AMC, Outcome, SearcherError
from searchers.amc.ddpg import Agent
from searchers.amc.replay import Episode, Replay
from searchers.amc.walk import FEATURES
from searchers.contract import Problem
from searchers.projection import widen
from searchers.testing import run, sample_problem, sample_score
from searchers.uniform import filled_uniform


def test_thread_count_changes_no_proposal_and_is_put_back() -> None:
    problem = sample_problem(trials=16)
    before = torch.get_num_threads()
    asked = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            asked.append(run(AMC(problem), sample_score(problem)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert asked[0] == asked[1]


def test_the_first_episode_is_the_uniform_schedule_widened_to_the_budget() -> None:
    problem = sample_problem(trials=12)
    assert AMC(problem, seed=3).ask().widths == filled_uniform(problem)


def wastes(problem: Problem, widths: tuple[int, ...]) -> bool:
    """Whether a schedule could be wider."""
    return widen(problem, widths) != widths


def test_what_is_evaluated_uses_the_budget_up_and_given_schedules_stay_as_they_are() -> None:
    problem = sample_problem(trials=24)
    given = tuple(int(width) for width in problem.floor)
    asked = [said.widths for said, _ in run(AMC(problem, first=[given]), sample_score(problem))]
    assert asked[0] == given
    assert not any(wastes(problem, widths) for widths in asked[1:])


def test_a_reward_that_prices_what_is_used_spends_what_the_agent_says() -> None:
    problem = sample_problem(trials=24)
    searcher = AMC(problem, reward="accuracy-flops")
    assert any(wastes(problem, said.widths) for said, _ in run(searcher, sample_score(problem)))


def test_torchs_global_generator_is_neither_read_nor_moved() -> None:
    problem = sample_problem(trials=12)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = run(AMC(problem), sample_score(problem))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert run(AMC(problem), sample_score(problem)) == first


def test_the_replay_holds_the_actions_taken_and_the_first_transition() -> None:
    problem = sample_problem(trials=4)
    searcher = AMC(problem, seed=0)
    said = searcher.ask()
    searcher.tell(said.id, Outcome(0.5, 0.7))
    rows = searcher.state().arrays["replay"]
    ratios = np.array(said.widths) / problem.full
    assert rows[:, FEATURES] == pytest.approx(ratios)
    assert rows[0, FEATURES - 1] == 1.0
    assert rows[1:, FEATURES - 1] == pytest.approx(ratios[:-1])
    assert rows[:, FEATURES + 1].tolist() == pytest.approx([0.7] * 6)
    assert rows[:, -1].tolist() == [0.0] * 5 + [1.0]
    assert np.array_equal(rows[:-1, FEATURES + 2 : -1], rows[1:, :FEATURES])


def test_the_replay_forgets_the_oldest_and_samples_by_its_generator() -> None:
    replay = Replay(capacity=5)
    for reward in range(4):
        states = np.full((2, FEATURES), reward, dtype=np.float32)
        replay.add(Episode(states, np.zeros(2, np.float32)), float(reward))
    assert len(replay) == 5
    batch = replay.sample(np.random.default_rng(0), 5)
    assert sorted(batch.rewards.tolist()) == [1.0, 2.0, 2.0, 3.0, 3.0]
    again = replay.sample(np.random.default_rng(0), 5)
    assert np.array_equal(batch.rewards, again.rewards)


def test_every_transition_is_trained_on_and_the_first_among_them() -> None:
    """An episode of six groups leaves six rows, and any of them may be sampled."""
    problem = sample_problem(trials=4)
    searcher = AMC(problem, seed=0)
    said = searcher.ask()
    searcher.tell(said.id, Outcome(0.5, 0.7))
    assert len(searcher._replay) == 6
    batch = searcher._replay.sample(np.random.default_rng(0), 200)
    first = np.float32(said.widths[0] / problem.full[0])
    assert (batch.states[:, FEATURES - 1] == 1.0).any()
    assert (batch.actions == first).any()
    assert len(np.unique(batch.states[:, 0])) == 6


def test_the_seed_of_a_search_decides_its_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numpy's global generator is left alone."""
    drawn: dict[int, list[float]] = {}
    original = Replay.sample

    def sampled(seed: int) -> list[float]:
        drawn[seed] = []

        def record(self: Replay, rng: np.random.Generator, size: int) -> object:
            batch = original(self, rng, size)
            drawn[seed].extend(batch.actions.ravel().tolist())
            return batch

        monkeypatch.setattr(Replay, "sample", record)
        problem = sample_problem(groups=3, trials=5)
        run(AMC(problem, seed=seed, warmup=2), sample_score(problem))
        return drawn[seed]

    np.random.seed(0)
    first = sampled(1)
    np.random.seed(1)
    assert first
    assert sampled(1) == first
    assert sampled(2) != first


def test_the_agent_learns_a_bandit() -> None:
    """One step, reward 1 - (action - 0.8)^2 whatever the state: the actor comes near 0.8."""
    rng = np.random.default_rng(0)
    agent, replay = Agent(np.random.default_rng(1)), Replay(capacity=400)
    for _ in range(300):
        state = rng.uniform(size=(1, FEATURES)).astype(np.float32)
        action = np.array([rng.uniform()], dtype=np.float32)
        replay.add(Episode(state, action), float(1.0 - (action[0] - 0.8) ** 2))
    before = agent.act(np.full(FEATURES, 0.5))
    for _ in range(250):
        agent.learn([replay.sample(rng, 64)])
    after = agent.act(np.full(FEATURES, 0.5))
    assert abs(before - 0.8) > 0.2
    assert abs(after - 0.8) < 0.1


def test_later_episodes_are_better_for_what_was_learned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against the same search with an agent that never updates."""
    problem = sample_problem(groups=3, trials=60)
    score = sample_score(problem)

    def late() -> float:
        """Median loss of the last fifteen episodes of three searches."""
        ends = [run(AMC(problem, seed=seed), score)[-15:] for seed in (1, 2, 3)]
        return float(np.median([outcome.loss for end in ends for _, outcome in end]))

    learned = late()
    monkeypatch.setattr(Agent, "learn", lambda self, batches: None)
    assert learned < 0.8 * late()


def test_the_agent_survives_its_arrays_exactly() -> None:
    rng = np.random.default_rng(0)
    replay = Replay(100)
    states = rng.uniform(size=(50, FEATURES)).astype(np.float32)
    replay.add(Episode(states, rng.uniform(size=50).astype(np.float32)), 0.5)
    first, second = Agent(np.random.default_rng(1)), Agent(np.random.default_rng(2))
    batches = [replay.sample(rng, 64) for _ in range(3)]
    first.learn(batches)
    second.load(first.dump())
    for agent in (first, second):
        agent.learn(batches)
    for name, array in first.dump().items():
        assert np.array_equal(array, second.dump()[name]), name


def test_rewards_are_the_accuracy_the_accuracy_and_cost_or_the_negated_loss() -> None:
    problem = sample_problem(trials=4)

    def reward(outcome: Outcome, **options: object) -> float:
        searcher = AMC(problem, seed=0, **options)
        searcher.tell(searcher.ask().id, outcome)
        return float(searcher.state().arrays["replay"][0, FEATURES + 1])

    said = AMC(problem, seed=0).ask()
    share = float(problem.loads(said.widths)[0] / problem.loads(problem.full)[0])
    assert reward(Outcome(2.0, 0.7)) == pytest.approx(0.7)
    assert reward(Outcome(2.0)) == pytest.approx(-2.0)
    both = reward(Outcome(2.0, 0.7), reward="accuracy-flops", full_cost=1e8)
    assert both == pytest.approx(-0.3 * np.log(share * 1e8), rel=1e-5)


def test_warm_up_is_a_quarter_of_few_trials_and_noise_fades_with_it() -> None:
    few, many = AMC(sample_problem(trials=40)), AMC(sample_problem(trials=800))
    assert (few._warmup, many._warmup) == (10, 100)
    few._asked, many._asked = 10 + 10, 100 + 100
    assert few._sigma() == pytest.approx(many._sigma())


@pytest.mark.parametrize(
    "options", [{"reward": "paper"}, {"lower_bound": 0.0}, {"warmup": 0}, {"full_cost": 1.0}]
)
def test_illegal_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(SearcherError, match="amc: "):
        AMC(sample_problem(), **options)
