"""Warm starts: the solver's probes, then a searcher that begins with the solver's answer."""

import numpy as np
import pytest
from solver_cases import additive_score

from searchers import (
    AMC,
    TPE,
    Done,
    LeGR,
    MisuseError,
    Problem,
    Searcher,
    SearcherError,
    Suggestion,
    Wait,
    make,
)
from searchers.amc.walk import FEATURES
from searchers.projection import project, widen
from searchers.ranking import threshold
from searchers.solver import Solver
from searchers.testing import run, sample_problem, sample_score
from searchers.uniform import filled_uniform, uniform_widths

TAKERS = ["amc", "legr", "tpe"]


def solved(problem: Problem) -> tuple[int, ...]:
    """The answer of a solver that was told its probes alone."""
    solver, score = Solver(problem), additive_score(problem)
    for said in [solver.ask() for _ in range(solver.probes)]:
        solver.tell(said.id, score(said))
    return solver.answer()


@pytest.mark.parametrize("name", TAKERS)
def test_the_first_trial_is_the_solvers_answer_and_probes_are_no_trials(name: str) -> None:
    problem = sample_problem(groups=4, trials=10)
    searcher = make(name, problem, warm_start="solver")
    told = run(searcher, additive_score(problem))
    purposes = [said.purpose for said, _ in told]
    assert purposes == ["probe"] * Solver(problem).probes + ["candidate"] * 10
    trials = [said.widths for said, _ in told if said.purpose == "candidate"]
    assert trials[0] == solved(problem) != tuple(uniform_widths(problem).tolist())
    assert searcher.ask() == Done()
    assert problem.feasible(trials).all()


@pytest.mark.parametrize("name", TAKERS)
def test_it_waits_for_every_probe(name: str) -> None:
    problem = sample_problem(groups=4, trials=10)
    searcher, score = make(name, problem, warm_start="solver"), additive_score(problem)
    probes = [searcher.ask() for _ in range(Solver(problem).probes)]
    for said in reversed(probes):
        assert isinstance(searcher.ask(), Wait)
        searcher.tell(said.id, score(said))
    said = searcher.ask()
    assert isinstance(said, Suggestion)
    assert (said.id, said.widths) == (len(probes), solved(problem))


def test_the_answer_is_better_than_where_they_begin_alone() -> None:
    problem = sample_problem(groups=6, trials=10)
    score = additive_score(problem)

    def first(searcher: Searcher) -> float:
        told = run(searcher, score)
        return float(np.log(next(o.loss for said, o in told if said.purpose == "candidate")))

    for name in TAKERS:
        assert first(make(name, problem, warm_start="solver")) < 0.9 * first(make(name, problem))


@pytest.mark.parametrize("name", ["random", "netadapt", "uniform", "solver", "portfolio"])
def test_who_takes_no_first_schedule_is_refused_with_who_does(name: str) -> None:
    with pytest.raises(
        SearcherError, match=rf"'{name}' takes no schedules .* these can: amc, legr, tpe$"
    ):
        make(name, sample_problem(), warm_start="solver")


def test_another_warm_start_is_refused() -> None:
    with pytest.raises(SearcherError, match="expected warm_start 'solver' or none, got 'luck'"):
        make("legr", sample_problem(), warm_start="luck")


def test_options_reach_the_searcher_and_wrong_ones_are_refused_before_any_probe() -> None:
    with pytest.raises(SearcherError, match="legr: population and tournament"):
        make("legr", sample_problem(), warm_start="solver", population=0)
    with pytest.raises(MisuseError, match="expected 6 widths"):
        make("legr", sample_problem(), warm_start="solver", first=[(1,)])


def test_further_schedules_to_begin_with_come_after_the_answer() -> None:
    problem = sample_problem(groups=4, trials=10)
    second = project(problem, [4, 60, 8, 30])
    searcher = make("tpe", problem, warm_start="solver", first=[second])
    told = run(searcher, additive_score(problem))
    trials = [said.widths for said, _ in told if said.purpose == "candidate"]
    assert trials[:3] == [solved(problem), second, filled_uniform(problem)]


@pytest.mark.parametrize("staircase", [False, True])
def test_a_genome_of_a_schedule_thresholds_to_it(staircase: bool) -> None:
    """Exactly, where the budget has no room for more; else to one at least as wide."""
    problem = sample_problem(trials=12, staircase=staircase)
    rng = np.random.default_rng(0)
    for _ in range(20):
        start = project(problem, rng.uniform(0.1, 1.0, size=6) * problem.full)
        for widths, exact in ((widen(problem, start), True), (start, False)):
            searcher = LeGR(problem, first=[widths])
            said = searcher.ask()
            genome = searcher.state().arrays["asked_genomes"][0]
            assert threshold(problem, genome[:6], genome[6:12]) == said.widths
            assert said.widths == widths if exact else np.all(np.array(said.widths) >= widths)
            assert problem.feasible(said.widths)[0]


def test_a_genome_ranks_at_other_budgets_from_its_own_schedule_on() -> None:
    tight, loose = sample_problem(budget=0.4), sample_problem(budget=0.7)
    widths = widen(tight, project(tight, [4, 60, 8, 30, 10, 32]))
    searcher = LeGR(tight, first=[widths])
    searcher.tell(searcher.ask().id, sample_score(tight)(Suggestion(0, widths)))
    wider = np.array(searcher.ranking().widths(loose))
    assert np.all(wider >= widths)
    assert loose.loads(wider)[0] > 0.93


def test_amcs_replay_holds_the_first_episode() -> None:
    problem = sample_problem(trials=8)
    widths = project(problem, [4, 60, 8, 30, 10, 32])
    searcher = AMC(problem, first=[widths])
    said = searcher.ask()
    assert said.widths == widths
    searcher.tell(said.id, sample_score(problem)(said))
    rows = searcher.state().arrays["replay"]
    ratios = np.array(widths) / problem.full
    assert rows[:, FEATURES] == pytest.approx(ratios)
    assert rows[1:, FEATURES - 1] == pytest.approx(ratios[:-1])
    assert searcher.ask().widths != widths


@pytest.mark.parametrize("searcher", [AMC, LeGR, TPE])
def test_a_first_schedule_over_budget_is_projected_and_an_illegal_one_refused(
    searcher: type[Searcher],
) -> None:
    problem = sample_problem(trials=8)
    full = tuple(problem.full.tolist())
    assert not problem.feasible(full)[0]
    assert searcher(problem, first=[full]).ask().widths == project(problem, full)
    with pytest.raises(MisuseError, match="group 'conv1': width 63 is not one of"):
        searcher(problem, first=[(32, 63, 32, 32, 64, 32)])


def test_tpe_does_not_begin_with_the_same_schedule_twice() -> None:
    problem = sample_problem(trials=8)
    uniform = tuple(uniform_widths(problem).tolist())
    searcher = TPE(problem, first=[uniform, uniform])
    first, second = searcher.ask(), searcher.ask()
    assert first.widths == uniform != second.widths


def test_a_state_of_another_searcher_after_the_solver_is_named() -> None:
    problem = sample_problem(groups=4, trials=10)
    state = make("legr", problem, warm_start="solver").state()
    with pytest.raises(MisuseError, match="the state is of 'legr' after the solver, this is 'tpe'"):
        make("tpe", problem, warm_start="solver").restore(state)
