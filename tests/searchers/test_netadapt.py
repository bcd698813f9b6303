"""NetAdapt: planned steps, independent moves from the winner's weights, and the budget reached."""

from collections import deque
from collections.abc import Sequence

import pytest

from searchers import Group, NetAdapt, Outcome, Problem, SearcherError, Suggestion, Wait, make
from searchers.netadapt.plan import blocks, moves, plan, planned_steps
from searchers.testing import run, sample_problem, sample_score


@pytest.mark.parametrize(
    ("iterations", "remaining"), [(10, 0.791), (20, 0.651), (28, 0.574), (30, 0.559)]
)
def test_nominal_steps_leave_the_published_cost(iterations: int, remaining: float) -> None:
    """A first step of 2.5% that decays by 0.96 is what reaches these costs from 1."""
    steps = planned_steps(1.0 - remaining, iterations, 0.96)
    assert steps[0] == pytest.approx(0.025, abs=1e-4)
    assert steps[-1] == pytest.approx(0.025 * 0.96 ** (iterations - 1), abs=1e-4)


@pytest.mark.parametrize("iterations", [30, 100, 1000])
def test_nominal_steps_never_leave_less_than_three_eighths(iterations: int) -> None:
    """What decays by 0.96 from 2.5% adds up to 62.5%: to go further the first step is larger."""
    assert planned_steps(0.625, iterations, 0.96)[0] >= 0.025
    assert planned_steps(0.625, 1000, 0.96)[0] == pytest.approx(0.025)
    assert planned_steps(0.75, iterations, 0.96)[0] > 0.029


@pytest.mark.parametrize(
    ("trials", "groups", "iterations", "moves_each"),
    [
        (200, 10, 20, 10),
        (1000, 10, 30, 10),
        (40, 27, 5, 8),
        (40, 4, 10, 4),
        (3, 30, 1, 3),
        (1, 30, 1, 1),
    ],
)
def test_trials_are_planned(trials: int, groups: int, iterations: int, moves_each: int) -> None:
    planned = plan(trials, groups)
    assert (planned.iterations, planned.moves) == (iterations, moves_each)


def test_blocks_cover_every_group_and_shift() -> None:
    for iteration in range(5):
        parts = blocks(range(7), 3, iteration)
        assert sorted(group for part in parts for group in part) == list(range(7))
    assert blocks(range(7), 3, 0) != blocks(range(7), 3, 1)
    assert blocks([2, 5], 2, 1) == [[2], [5]]


def test_a_move_takes_the_widest_width_that_reaches_the_target() -> None:
    problem = sample_problem(groups=4)
    target = float(problem.loads(problem.full)[0]) - 0.1
    found = moves(problem, problem.full, [[1], [2]], target)
    for part, widths in zip([[1], [2]], found, strict=True):
        group = problem.groups[part[0]]
        wider = list(widths)
        wider[part[0]] = group.choices[group.choices.index(widths[part[0]]) + 1]
        assert problem.loads(widths)[0] <= target < problem.loads(wider)[0]
        assert [i for i in range(4) if widths[i] != problem.full[i]] == part


def test_where_no_group_reaches_the_target_those_that_save_most_are_taken() -> None:
    problem = sample_problem(groups=4)
    found = moves(problem, problem.full, [[0], [1], [2], [3]], target=0.01)
    saved = problem.loads(problem.full)[0] - problem.loads(found)
    assert len(found) >= 1
    assert saved.min() >= 0.5 * saved.max()


@pytest.mark.parametrize("groups", [3, 10, 19, 30])
@pytest.mark.parametrize("budget", [0.25, 0.5, 0.9])
@pytest.mark.parametrize("staircase", [False, True])
def test_forty_trials_reach_the_budget(groups: int, budget: float, staircase: bool) -> None:
    problem = sample_problem(groups=groups, trials=40, budget=budget, staircase=staircase)
    told = run(NetAdapt(problem), sample_score(problem))
    candidates = [said for said, _ in told if said.purpose == "candidate"]
    assert len(told) == 40
    assert problem.loads([said.widths for said in candidates]).max() > 0.93
    first = candidates[0].id
    assert all(problem.loads(said.widths)[0] > 1 for said, _ in told if said.id < first)


def test_moves_of_an_iteration_start_from_the_previous_winner() -> None:
    problem = sample_problem(groups=4, trials=60)
    searcher, score = NetAdapt(problem), sample_score(problem)
    source = None
    for _ in range(5):
        running = _ask_all(searcher)
        assert {said.start_from for said in running} == {source}
        outcomes = {said.id: score(said) for said in running}
        for said in running:
            searcher.tell(said.id, outcomes[said.id])
        source = max(outcomes, key=lambda key: outcomes[key].accuracy)


def test_ask_waits_until_the_whole_iteration_is_told() -> None:
    problem = sample_problem(groups=4, trials=60)
    searcher, score = NetAdapt(problem), sample_score(problem)
    running = _ask_all(searcher)
    for said in running:
        assert isinstance(searcher.ask(), Wait)
        searcher.tell(said.id, score(said))
    assert isinstance(searcher.ask(), Suggestion)


def test_only_the_winners_weights_are_kept_after_an_iteration() -> None:
    problem = sample_problem(groups=4, trials=60)
    searcher = NetAdapt(problem)
    running = _ask_all(searcher)
    for rank, said in enumerate(running[:-1]):
        searcher.tell(said.id, Outcome(1.0, 0.5 + 0.01 * rank))
    assert searcher.retained() == {said.id for said in running}
    searcher.tell(running[-1].id, Outcome(None))
    assert searcher.retained() == {running[-2].id}


def test_the_winner_is_the_most_accurate_or_loses_least_per_cost_saved() -> None:
    """A move that saves ten times as much for a little more loss wins by the ratio alone."""
    assert _second_winner("accuracy") == 1
    assert _second_winner("ratio") == 0


def test_the_ratio_prefers_the_smaller_saving_where_accuracy_rises() -> None:
    """As the authors' program does: a negative loss is divided by what is saved, too."""
    fell, rose = [0.80] * 3, [0.99] * 3
    assert _second_winner("ratio", fell) == 0
    assert _second_winner("ratio", rose) != 0
    assert _second_winner("accuracy", rose) == 0


def test_without_accuracies_the_lowest_loss_wins() -> None:
    searcher = NetAdapt(sample_problem(groups=4, trials=60))
    running = _ask_all(searcher)
    for index, said in enumerate(running):
        searcher.tell(said.id, Outcome(1.0 - 0.1 * index))
    assert searcher.ask().start_from == running[-1].id


def test_an_iteration_that_fails_entirely_is_followed_by_a_larger_step() -> None:
    problem = sample_problem(groups=4, trials=60)
    searcher = NetAdapt(problem)
    first = _ask_all(searcher)
    for said in first:
        searcher.tell(said.id, Outcome(None))
    second = _ask_all(searcher)
    assert {said.start_from for said in second} == {None}
    wide, narrow = (problem.loads([said.widths for said in part]).max() for part in (first, second))
    assert narrow < wide


def test_trials_left_over_are_candidates_near_the_winner() -> None:
    problem = sample_problem(groups=4, trials=60)
    told = run(NetAdapt(problem), sample_score(problem))
    left = [said for said, _ in told[-5:]]
    assert all(said.purpose == "candidate" for said in left)
    assert len({said.start_from for said in left}) == 1
    assert left[0].start_from is not None
    assert len({said.widths for said, _ in told}) == len(told)


def test_a_network_within_the_budget_is_proposed_unpruned_first() -> None:
    problem = sample_problem(groups=4, trials=6, budget=1.2)
    told = run(NetAdapt(problem), sample_score(problem))
    assert told[0][0].widths == tuple(problem.full.tolist())
    assert all(said.purpose == "candidate" for said, _ in told)


def test_it_beats_random_search_at_forty_trials() -> None:
    problem = sample_problem(groups=12, trials=40)
    score = sample_score(problem)
    best = {
        name: min(o.loss for s, o in run(make(name, problem), score) if s.purpose == "candidate")
        for name in ("netadapt", "random")
    }
    assert best["netadapt"] < 0.85 * best["random"]


@pytest.mark.parametrize("options", [{"winner": "luck"}, {"decay": 0.0}])
def test_illegal_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(SearcherError, match=r"netadapt: (winner|decay) must be"):
        NetAdapt(sample_problem(), **options)


def _ask_all(searcher: NetAdapt) -> list[Suggestion]:
    asked: deque[Suggestion] = deque()
    while isinstance(said := searcher.ask(), Suggestion):
        asked.append(said)
    return list(asked)


def _second_winner(rule: str, second: Sequence[float] = (0.79, 0.80, 0.795)) -> int:
    """The group that wins iteration 2, where group 0 can only be cut by eight units at once."""
    fine = tuple(range(1, 11))
    groups = (Group("a", 10, (2, 10)), Group("b", 10, fine), Group("c", 10, fine))
    problem = Problem(groups, lambda widths: widths.sum(axis=1) / 15, trials=60)
    searcher = make("netadapt", problem, winner=rule)
    for accuracies in ((0.9, 0.95, 0.9), second):
        running = _ask_all(searcher)
        for said, accuracy in zip(running, accuracies, strict=True):
            searcher.tell(said.id, Outcome(1.0, accuracy))
    return searcher.ask().start_from - running[0].id
