"""The solver: exact minima of a model of the loss that learns from every trial."""

from searchers.solver.searcher import Solver

__all__ = ["Solver"]
