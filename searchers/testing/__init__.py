"""Try and check searchers: a synthetic problem, a driver loop and the conformance suite.

A searcher passes the suite by subclassing it in a test file and overriding one factory::

    from searchers.testing import SearcherContract

    class TestMySearcher(SearcherContract):
        def make_searcher(self, problem, seed):
            return MySearcher(problem, seed=seed)
"""

from searchers.testing.conformance import SearcherContract
from searchers.testing.driver import run
from searchers.testing.problems import sample_problem, sample_score

__all__ = ["SearcherContract", "run", "sample_problem", "sample_score"]
