"""Every built-in searcher passes the suite it ships."""

from typing import ClassVar

from searchers import Problem, Searcher, make
from searchers.registry import searcher_names
from searchers.testing import SearcherContract, sample_problem


class TestUniformConforms(SearcherContract):
    stochastic: ClassVar[bool] = False
    learning_margin: ClassVar[float | None] = None

    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("uniform", problem, seed)


class TestRandomConforms(SearcherContract):
    learning_margin: ClassVar[float | None] = None

    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("random", problem, seed)


class TestLegrConforms(SearcherContract):
    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("legr", problem, seed)


class TestNetadaptConforms(SearcherContract):
    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("netadapt", problem, seed)


class TestTpeConforms(SearcherContract):
    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("tpe", problem, seed)


class TestAmcConforms(SearcherContract):
    trials: ClassVar[int] = 16
    # A walk over few groups, at as many trials as a test can afford.
    learning_trials: ClassVar[int] = 100
    learning_groups: ClassVar[int] = 4

    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("amc", problem, seed)


class TestSolverConforms(SearcherContract):
    learning_margin: ClassVar[float | None] = 0.6

    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("solver", problem, seed)


class TestPortfolioConforms(SearcherContract):
    learning_margin: ClassVar[float | None] = 0.5

    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("portfolio", problem, seed)


class TestGlobalConforms(SearcherContract):
    stochastic: ClassVar[bool] = False
    learning_margin: ClassVar[float | None] = None

    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("global", problem, seed)


class TestWarmStartedLegrConforms(SearcherContract):
    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("legr", problem, seed, warm_start="solver")


class TestWarmStartedTpeConforms(SearcherContract):
    def make_searcher(self, problem: Problem, seed: int) -> Searcher:
        return make("tpe", problem, seed, warm_start="solver")


def test_no_built_in_searcher_is_left_out() -> None:
    problem = sample_problem()
    suites = [suite for suite in SearcherContract.__subclasses__() if suite.__module__ == __name__]
    assert {suite().make_searcher(problem, 0).name for suite in suites} >= set(searcher_names())
