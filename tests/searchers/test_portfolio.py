"""The portfolio: shares kept, nothing asked twice, and everything told to whoever wanted it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from solver_cases import plain

from searchers import Done, Group, Outcome, Problem, ProblemError, Suggestion, Wait, make
from searchers.portfolio import SHARES, Portfolio
from searchers.solver import Solver
from searchers.testing import run, sample_problem, sample_score
from searchers.uniform import filled_uniform, uniform_widths


def owners(portfolio: Portfolio, lookahead: int = 1) -> list[tuple[Suggestion, set[int]]]:
    """Run to the end; which members every suggestion was for when it was told."""
    score = sample_score(portfolio.problem)
    found, outstanding = [], []
    while True:
        while len(outstanding) < lookahead and isinstance(said := portfolio.ask(), Suggestion):
            outstanding.append(said)
        if not outstanding:
            return found
        said = outstanding.pop(0)
        found.append((said, {index for index, _ in portfolio._owners[said.id]}))
        portfolio.tell(said.id, score(said))


@pytest.mark.parametrize("lookahead", [1, 4])
@pytest.mark.parametrize("trials", [1, 3, 40])
def test_there_are_exactly_the_trials_and_none_twice(trials: int, lookahead: int) -> None:
    problem = sample_problem(groups=4, trials=trials, choices=6)
    searcher = Portfolio(problem, seed=1)
    told = run(searcher, sample_score(problem), lookahead=lookahead)
    trials_told = [said.widths for said, _ in told if said.purpose == "candidate"]
    assert len(trials_told) == trials
    assert len(set(trials_told)) == trials
    assert len(told) - trials == Solver(problem).probes
    assert searcher.ask() == Done()


def test_every_member_has_its_share_and_the_solver_the_rest() -> None:
    problem = sample_problem(groups=6, trials=40)
    portfolio = Portfolio(problem)
    found = owners(portfolio)
    share = {name: max(1, int(part * 40)) for name, part in SHARES.items()}
    assert [member.name for member in portfolio._members] == ["solver", *SHARES]
    for member in portfolio._others:
        assert share[member.name] - 1 <= member.asked <= share[member.name]
    alone = Counter(next(iter(who)) for said, who in found if said.purpose == "candidate")
    assert alone[0] >= 40 - sum(share.values())
    assert all(who == {0} for said, who in found if said.purpose == "probe")


def test_the_others_do_not_wait_for_the_solvers_probes() -> None:
    problem = sample_problem(trials=20)
    portfolio = Portfolio(problem)
    asked = []
    while isinstance(said := portfolio.ask(), Suggestion):
        asked.append(said)
    trials = [said.widths for said in asked if said.purpose == "candidate"]
    assert isinstance(said, Wait)
    assert trials[0] == filled_uniform(problem)
    # The threshold's and one of LeGR's or TPE's; what is pending is told to all who proposed it.
    assert len(trials) >= 3
    assert len(set(trials)) == len(trials)


def same_for_all() -> Problem:
    """Equal norms: the threshold, LeGR's first member and TPE's first all are the uniform one."""
    base = sample_problem(groups=4, trials=12, choices=4)
    groups = tuple(
        Group(f"g{index}", 32, (8, 16, 24, 32), unit_norms=np.arange(1.0, 33.0))
        for index in range(4)
    )
    cost = np.array([1.0, 1.0, 1.0, 1.0])
    return replace(base, groups=groups, load=lambda widths: widths @ cost / 64.0)


def test_what_is_known_is_told_at_once_to_another_that_proposes_it() -> None:
    problem = same_for_all()
    uniform = tuple(uniform_widths(problem).tolist())
    assert all(make(name, problem).ask().widths == uniform for name in SHARES)
    portfolio, score = Portfolio(problem), sample_score(problem)
    first = None
    while first is None or first.purpose == "probe":
        first = portfolio.ask()
        assert isinstance(first, Suggestion)
        portfolio.tell(first.id, score(first))
    assert first.widths == uniform
    portfolio.ask()
    for member in portfolio._others:
        assert member.asked >= 1
        assert all(pending.widths != uniform for pending in member._pending.values())
    legr = portfolio._members[3]
    assert legr.state().arrays["members"][:, -1].tolist() == [score(first).loss]


def test_what_is_pending_is_told_to_all_who_proposed_it() -> None:
    problem = same_for_all()
    portfolio, score = Portfolio(problem), sample_score(problem)
    asked = []
    while isinstance(said := portfolio.ask(), Suggestion):
        asked.append(said)
    uniform = next(said for said in asked if said.purpose == "candidate")
    assert [said.widths for said in asked].count(uniform.widths) == 1
    assert {index for index, _ in portfolio._owners[uniform.id]} == {0, 1, 2, 3}
    portfolio.tell(uniform.id, score(uniform))
    for member in portfolio._others:
        assert 0 not in member._pending
    # The solver proposed it itself, and must not count it twice.
    assert portfolio._solver._told == [(uniform.widths, score(uniform).loss)]


def test_the_solver_learns_from_the_others() -> None:
    problem = sample_problem(groups=5, trials=40)
    portfolio = Portfolio(problem)
    score = sample_score(problem)
    told = run(portfolio, score, lookahead=1)
    trials = {said.widths: o.loss for said, o in told if said.purpose == "candidate"}
    assert dict(portfolio._solver._told) == trials
    assert len(portfolio._solver._told) == 40
    assert portfolio._solver._counted < 40


def test_failures_are_passed_on() -> None:
    problem = sample_problem(groups=5, trials=30)
    score = sample_score(problem)
    told = run(
        Portfolio(problem),
        lambda said: Outcome(None) if said.id % 3 == 0 else score(said),
        lookahead=4,
    )
    trials = [said.widths for said, _ in told if said.purpose == "candidate"]
    assert len(trials) == len(set(trials)) == 30


def test_a_probe_stands_for_no_trial() -> None:
    """Within a loose budget the uniform schedule is the unpruned network, which is probed too."""
    problem = sample_problem(groups=4, trials=6, budget=1.2)
    portfolio = Portfolio(problem)
    asked = []
    while isinstance(said := portfolio.ask(), Suggestion):
        asked.append(said)
    full = tuple(problem.full.tolist())
    purposes = [said.purpose for said in asked if said.widths == full]
    assert purposes == ["probe", "candidate"]


def test_a_space_smaller_than_the_trials_ends_early() -> None:
    """Every schedule within the budget is scored once; there is nothing else to ask."""
    groups = tuple(
        Group(name, 2, (1, 2), unit_norms=np.array([1.0, 2.0])) for name in ("a", "b", "c")
    )
    problem = Problem(groups, lambda widths: widths.sum(axis=1) / 5, trials=30)
    told = run(Portfolio(problem), sample_score(problem))
    trials = [said.widths for said, _ in told if said.purpose == "candidate"]
    assert len(trials) == len(set(trials))
    assert 4 <= len(trials) <= 7


def test_norms_are_needed() -> None:
    problem = sample_problem()
    with pytest.raises(ProblemError, match="'conv0' has no unit_norms"):
        Portfolio(replace(problem, groups=plain(problem.groups)))
