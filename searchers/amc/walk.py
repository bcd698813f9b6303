"""One episode's environment: what the agent sees of a group, and what becomes of its action."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from searchers.contract import FloatArray, Group, IntArray, Problem, ProblemError

FEATURES = 10
"""Index, type, c_in, c_out, stride, kernel, weights, reduced, rest, previous (section 3.2)."""


class Walk:
    """Walks the groups in order; every action leaves the budget within reach.

    Args:
        problem: G groups with traits.
        lower_bound: keep ratio that later groups can be pruned to, in (0, 1].
        original_rounding: clip against exact ratios and round up, as the authors' program does.
            The schedule may then be over budget: for comparison with its numbers alone.

    Raises:
        ProblemError: a group has no traits.
    """

    def __init__(
        self, problem: Problem, lower_bound: float = 0.2, original_rounding: bool = False
    ) -> None:
        self._problem = problem
        self._bound = lower_bound
        self._original = original_rounding
        self._lower = _lower_widths(problem, lower_bound)
        self._full_load = float(problem.loads(problem.full)[0])
        self._static = _static_features(problem.groups)
        self._rest = self._rest_features()

    def features(self, taken: Sequence[int], previous: float) -> FloatArray:
        """What the agent sees before it acts on the next group.

        Args:
            taken: widths of the groups before it.
            previous: the keep ratio taken last, 1 at the start.

        Returns:
            Shape [10], each in [0, 1] or near it.
        """
        index = len(taken)
        widths = self._problem.full.copy()
        widths[:index] = taken
        reduced = 1.0 - float(self._problem.loads(widths)[0]) / self._full_load
        return np.concatenate([self._static[index], [reduced, self._rest[index], previous]])

    def width(self, taken: Sequence[int], action: float) -> int:
        """The legal width for a raw action in [0, 1] on the next group (algorithm 1)."""
        if self._original:
            return self._original_width(taken, action)
        group = self._problem.groups[len(taken)]
        choices = np.array([c for c in group.choices if c >= self._lower[len(taken)]])
        rows = np.repeat(self._lower[None, :], len(choices), axis=0)
        rows[:, : len(taken)] = taken
        rows[:, len(taken)] = choices
        # Never empty: the lower width itself is within the budget by induction over the groups.
        within = choices[self._problem.feasible(rows)]
        return int(within[np.argmin(np.abs(within - action * group.units))])

    def _original_width(self, taken: Sequence[int], action: float) -> int:
        """Round max(min(clip(a, 0, 1), limit), lbound) up to a legal width."""
        group = self._problem.groups[len(taken)]
        limit = self._exact_limit(taken)
        ratio = max(min(float(np.clip(action, 0.0, 1.0)), limit), self._bound)
        wanted = max(1, round(ratio * group.units))
        return next(choice for choice in group.choices if choice >= wanted)

    def _exact_limit(self, taken: Sequence[int]) -> float:
        """The largest ratio of the next group that fits when later ones are at the lower bound."""
        row = self._bound * self._problem.full.astype(np.float64)
        row[: len(taken)] = taken

        def fits(ratio: float) -> bool:
            row[len(taken)] = ratio * self._problem.full[len(taken)]
            return bool(self._problem.feasible(row)[0])

        low, high = self._bound, 1.0
        if fits(high):
            return high
        for _ in range(50):
            middle = (low + high) / 2.0
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def _rest_features(self) -> FloatArray:
        """For every group, what the groups after it can still save, as a fraction of all; [G]."""
        groups = len(self._problem.groups)
        rows = np.repeat(self._problem.full[None, :], groups, axis=0)
        later = np.arange(groups)[None, :] > np.arange(groups)[:, None]
        rows[later] = np.broadcast_to(self._problem.floor, rows.shape)[later]
        return np.asarray(1.0 - self._problem.loads(rows) / self._full_load, dtype=np.float64)


def _lower_widths(problem: Problem, bound: float) -> IntArray:
    """The narrowest legal widths at or above the bound; the floor where those miss the budget."""
    lower = np.array(
        [next(c for c in group.choices if c >= bound * group.units) for group in problem.groups],
        dtype=np.int64,
    )
    return lower if problem.feasible(lower)[0] else problem.floor


def _static_features(groups: Sequence[Group]) -> FloatArray:
    """The first seven features of every group, min-max normalised over the groups; [G, 7]."""
    rows = []
    for index, group in enumerate(groups):
        traits = group.traits
        if traits is None:
            raise ProblemError(
                f"group {group.name!r} has no traits, which AMC's state describes: give the "
                "LayerTraits of the layer that produces its channels"
            )
        kind = 1.0 if traits.kind == "linear" else 0.0
        sizes = (traits.in_channels, traits.out_channels, traits.stride, traits.kernel)
        rows.append([index, kind, *sizes, traits.weights])
    columns = np.array(rows, dtype=np.float64)
    low, high = columns.min(axis=0), columns.max(axis=0)
    return np.asarray((columns - low) / np.where(high > low, high - low, 1.0), dtype=np.float64)
