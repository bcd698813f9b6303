"""LeGR: the global ranking, its population, and the reuse of a ranking at another budget."""

from dataclasses import replace

import numpy as np
import pytest

from searchers import Done, Group, LeGR, MisuseError, Problem, ProblemError, SearcherError
from searchers.ranking import threshold
from searchers.testing import run, sample_problem, sample_score
from searchers.uniform import filled_uniform


def test_first_members_are_not_copies_of_each_other() -> None:
    """A generator reseeded at every proposal would make 63 of the 64 members identical."""
    problem = sample_problem(groups=8, trials=256)
    searcher = LeGR(problem, seed=0)
    members = [searcher.ask() for _ in range(64)]
    assert len({member.widths for member in members}) > 55
    genomes = searcher.state().arrays["asked_genomes"]
    # The first two have the alpha of the identity.
    assert len(np.unique(genomes[:, :8], axis=0)) == 63
    assert len(np.unique(genomes[:, 8:16], axis=0)) == 64
    assert np.unique(genomes[:, 0]).size == 63


def test_first_come_the_uniform_schedule_and_the_identity() -> None:
    problem = sample_problem(groups=5)
    searcher = LeGR(problem, seed=9)
    assert searcher.ask().widths == filled_uniform(problem)
    assert searcher.ask().widths == threshold(problem, np.ones(5), np.zeros(5))


def test_filters_of_the_lowest_score_go_first() -> None:
    """Two groups of equal cost per unit: the three smallest norms of both are removed."""
    groups = (
        Group("a", 4, (1, 2, 3, 4), np.array([9.0, 1.0, 8.0, 2.0])),
        Group("b", 4, (1, 2, 3, 4), np.array([7.0, 6.0, 3.0, 5.0])),
    )
    problem = Problem(groups, lambda widths: widths.sum(axis=1) / 5.0, trials=1)
    assert threshold(problem, [1.0, 1.0], [0.0, 0.0]) == (2, 3)
    assert threshold(problem, [1.0, 1.0], [10.0, 0.0]) == (4, 1)
    assert threshold(problem, [1.0, 0.1], [0.0, 0.0]) == (4, 1)


def test_a_lower_threshold_is_found_past_one_that_does_not_fit() -> None:
    """Where cost is not monotone, bisection could miss the widest schedule that fits."""
    cost = {1: 0.2, 2: 0.4, 3: 1.4, 4: 0.9}
    group = Group("a", 4, (1, 2, 3, 4), np.array([4.0, 3.0, 2.0, 1.0]))
    problem = Problem(
        (group,), lambda widths: np.array([cost[int(w)] for w in widths[:, 0]]), trials=1
    )
    assert threshold(problem, [1.0], [0.0]) == (4,)


def test_a_ranking_answers_other_budgets_without_training() -> None:
    tight = sample_problem(budget=0.3, trials=40)
    searcher = LeGR(tight, seed=0)
    told = run(searcher, sample_score(tight))
    ranking = searcher.ranking()
    best = min(told, key=lambda pair: pair[1].loss)
    assert ranking.widths(tight) == best[0].widths
    assert ranking.loss == best[1].loss
    previous = np.array(ranking.widths(tight))
    for budget in (0.4, 0.6, 0.8):
        looser = sample_problem(budget=budget)
        widths = np.array(ranking.widths(looser))
        assert 0.9 < looser.loads(widths)[0] <= 1.0
        assert np.all(widths >= previous)
        previous = widths


def test_a_ranking_is_refused_before_anything_is_scored() -> None:
    with pytest.raises(MisuseError, match="no ranking yet"):
        LeGR(sample_problem()).ranking()


def test_mutations_change_one_group_in_ten_and_at_least_one() -> None:
    for groups, changed in ((6, 1), (20, 2)):
        problem = sample_problem(groups=groups, trials=40)
        searcher = LeGR(problem, seed=0, population=4)
        run(searcher, sample_score(problem), lookahead=1, tells=4)
        members = searcher.state().arrays["members"]
        asked = searcher.state().arrays["asked_genomes"]
        differing = (members[:, :groups] != asked[0, :groups]).sum(axis=1)
        assert differing.min() == changed


def test_the_oldest_member_makes_room_and_the_best_is_remembered() -> None:
    problem = sample_problem(trials=40)
    searcher = LeGR(problem, seed=0, population=4)
    told = run(searcher, sample_score(problem))
    losses = searcher.state().arrays["members"][:, -1].tolist()
    assert losses == [outcome.loss for _, outcome in told[-4:]]
    assert searcher.ranking().loss == min(outcome.loss for _, outcome in told)


def test_it_beats_random_search_at_forty_trials() -> None:
    from searchers import RandomSearch

    problem = sample_problem(groups=8, trials=40)
    score = sample_score(problem)

    def best(searcher: object) -> float:
        return min(outcome.loss for _, outcome in run(searcher, score))

    ours = np.median([best(LeGR(problem, seed=seed)) for seed in range(5)])
    random = np.median([best(RandomSearch(problem, seed=seed)) for seed in range(5)])
    assert ours < 0.85 * random


def test_a_group_without_norms_is_named() -> None:
    problem = sample_problem()
    bare = replace(problem.groups[3], unit_norms=None)
    groups = (*problem.groups[:3], bare, *problem.groups[4:])
    with pytest.raises(ProblemError, match="'conv3' has no unit_norms"):
        LeGR(replace(problem, groups=groups))


@pytest.mark.parametrize("options", [{"population": 0}, {"tournament": 0}, {"mutated": 0.0}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(SearcherError, match="legr: population and tournament"):
        LeGR(sample_problem(), **options)


def test_it_is_done_after_its_trials() -> None:
    problem = sample_problem(trials=5)
    searcher = LeGR(problem)
    for _ in range(5):
        searcher.ask()
    assert searcher.ask() == Done()
