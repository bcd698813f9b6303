"""Uniform and random: what every search is compared with."""

import numpy as np

from searchers import Done, Group, Problem, RandomSearch, Uniform
from searchers.testing import run, sample_problem, sample_score
from searchers.uniform import uniform_widths


def test_uniform_keeps_one_ratio_the_largest_that_fits() -> None:
    problem = sample_problem(budget=0.5)
    widths = np.array(Uniform(problem).ask().widths)
    ratio = (widths / problem.full).max()
    assert problem.feasible(widths)[0]
    assert np.ptp(widths / problem.full) < 0.05
    assert not problem.feasible(uniform_widths(problem, 9.0))[0]
    wider = [min(c for c in g.choices if c > ratio * g.units) for g in problem.groups]
    assert not problem.feasible(wider)[0]


def test_uniform_respects_the_narrowest_widths() -> None:
    groups = (Group("a", 10, (8, 10)), Group("b", 10, tuple(range(1, 11))))
    problem = Problem(groups, lambda widths: widths.sum(axis=1) / 11, trials=3)
    assert Uniform(problem).ask().widths == (8, 3)


def test_uniform_proposes_once() -> None:
    searcher = Uniform(sample_problem())
    searcher.ask()
    assert searcher.ask() == Done()


def test_uniform_leaves_a_network_within_the_budget_alone() -> None:
    problem = sample_problem(budget=1.5)
    assert Uniform(problem).ask().widths == tuple(problem.full.tolist())


def test_random_schedules_are_distinct_and_spread_near_the_budget() -> None:
    problem = sample_problem(groups=8, trials=100)
    told = run(RandomSearch(problem, seed=0), sample_score(problem))
    loads = problem.loads([said.widths for said, _ in told])
    assert len({said.widths for said, _ in told}) == 100
    assert loads.max() <= 1.0
    assert np.quantile(loads, 0.1) > 0.85
    assert np.std(loads) > 0.02
    ratios = np.array([said.widths for said, _ in told]) / problem.full
    assert np.all(np.ptp(ratios, axis=0) > 0.5)


def test_random_goes_on_when_every_schedule_was_seen() -> None:
    groups = (Group("a", 2, (1, 2)), Group("b", 2, (1, 2)))
    problem = Problem(groups, lambda widths: widths.sum(axis=1) / 3, trials=12)
    told = run(RandomSearch(problem, seed=0), sample_score(problem))
    assert len(told) == 12
    assert {said.widths for said, _ in told} <= {(1, 1), (1, 2), (2, 1)}
