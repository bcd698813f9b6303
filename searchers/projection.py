"""Legal schedules near wanted widths, and within a limit of load.

All of it asks the vectorised load about whole rows, so that staircases and loads that fall when a
width grows are handled by looking, not by assuming an order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from searchers.contract import FloatArray, Group, IntArray, Problem, ProblemError

_JUST_PAST = 1.0 - 1e-9
"""A factor that lands on the narrower side of a rounding boundary despite float error."""


def nearest(groups: Sequence[Group], widths: npt.ArrayLike) -> IntArray:
    """Round each width to its group's nearest choice; halfway goes to the narrower one.

    Args:
        groups: G groups.
        widths: units, any real numbers; shape [..., G].

    Returns:
        Legal widths, shape [..., G].
    """
    wanted = np.asarray(widths, dtype=np.float64)
    legal = np.empty(wanted.shape, dtype=np.int64)
    for index, group in enumerate(groups):
        choices = np.asarray(group.choices, dtype=np.int64)
        legal[..., index] = choices[np.searchsorted(_boundaries(group), wanted[..., index])]
    return legal


def shrink_path(
    groups: Sequence[Group],
    widths: npt.ArrayLike,
    members: Sequence[int] | None = None,
    largest: float = 1.0,
) -> IntArray:
    """Every legal schedule met while a common factor on ``widths`` falls from ``largest`` to 0.

    Args:
        groups: G groups.
        widths: units, shape [G].
        members: indices of the groups the factor applies to; all of them by default.
        largest: where the factor starts; ``inf`` starts where every group is at its full width.

    Returns:
        Distinct neighbouring rows from the widest to the narrowest, shape [P, G]. The other groups
        stay at their nearest choice.
    """
    start = np.maximum(np.asarray(widths, dtype=np.float64), 1e-6)
    chosen = list(range(len(groups)) if members is None else members)
    crossings = np.concatenate([_boundaries(groups[i]) / start[i] for i in chosen] + [np.empty(0)])
    top = largest if np.isfinite(largest) else 2.0 * float(crossings.max(initial=1.0))
    factors = np.concatenate([[top], np.unique(crossings[crossings <= top])[::-1] * _JUST_PAST])
    rows = np.repeat(start[None, :], len(factors), axis=0)
    rows[:, chosen] *= factors[:, None]
    legal = nearest(groups, rows)
    changed = np.any(np.diff(legal, axis=0) != 0, axis=1)
    return legal[np.flatnonzero(np.concatenate([[True], changed])), :].astype(np.int64)


def first_within(problem: Problem, rows: IntArray, limit: float = 1.0) -> IntArray | None:
    """The first of ``rows`` [P, G] whose load is at most ``limit``; None where there is none."""
    within = np.flatnonzero(problem.loads(rows) <= limit)
    return rows[within[0]] if len(within) else None


def fill_up(problem: Problem, widths: IntArray, ceiling: IntArray, limit: float) -> IntArray:
    """Widen groups one choice at a time while the load stays within ``limit``.

    The group that lacks the largest fraction of its ceiling goes first.

    Args:
        problem: G groups and their load.
        widths: a legal schedule within the limit, [G].
        ceiling: legal widths that are not exceeded, [G].
        limit: load.
    """
    current = widths.copy()
    while True:
        open_groups = np.flatnonzero(current < ceiling)
        if not len(open_groups):
            return current
        rows = np.repeat(current[None, :], len(open_groups), axis=0)
        for row, index in zip(rows, open_groups, strict=True):
            choices = problem.groups[index].choices
            row[index] = choices[choices.index(int(row[index])) + 1]
        lack = 1.0 - current[open_groups] / ceiling[open_groups]
        fits = problem.loads(rows) <= limit
        if not fits.any():
            return current
        current = rows[int(np.argmax(np.where(fits, lack, -1.0)))]


def project(problem: Problem, widths: npt.ArrayLike, limit: float = 1.0) -> tuple[int, ...]:
    """A legal schedule near ``widths`` whose load is at most ``limit``.

    Widths are rounded to the nearest choice. Where the rounded schedule is over the limit, the
    largest common factor that fits is taken, then what still fits is given back, never beyond the
    rounded schedule. Deterministic; a legal schedule within the limit is returned unchanged, and
    where every width asked for is at most a legal one, so is the answer.

    Args:
        problem: G groups and their load.
        widths: units, integers or not, shape [G].
        limit: load; 1 is the budget, 0.96 leaves a margin of 4%.

    Raises:
        ProblemError: even the narrowest schedule is over the limit.
    """
    wanted = np.asarray(widths, dtype=np.float64)
    if wanted.shape != (len(problem.groups),) or not np.isfinite(wanted).all():
        raise ProblemError(
            f"expected {len(problem.groups)} finite widths, got {np.asarray(widths)!r}"
        )
    rounded = nearest(problem.groups, wanted)
    if problem.loads(rounded)[0] <= limit:
        return _row(rounded)
    narrower = first_within(problem, shrink_path(problem.groups, wanted), limit)
    if narrower is None:
        floor = float(problem.loads(problem.floor)[0])
        if not floor <= limit:
            raise ProblemError(
                f"no schedule within {limit:g} of the budget: the narrowest one costs {floor:.4g} "
                "of it; ask for a larger limit"
            )
        narrower = problem.floor
    return _row(fill_up(problem, narrower, rounded, limit))


def widen(problem: Problem, widths: npt.ArrayLike, limit: float = 1.0) -> tuple[int, ...]:
    """A schedule at least as wide as ``widths`` in every group that uses what ``limit`` leaves.

    The largest common factor that fits keeps the proportions; then single groups are widened, first
    up to the next larger factor's schedule, then as far as anything fits. Deterministic; no group
    of the answer could take its next choice.

    Args:
        problem: G groups and their load.
        widths: a legal schedule within the limit, [G].
        limit: load.

    Raises:
        MisuseError: ``widths`` is no legal schedule.
        ProblemError: it is over the limit already.
    """
    start = tuple(int(width) for width in np.asarray(widths).ravel())
    problem.check_legal(start)
    current = np.array(start, dtype=np.int64)
    load = float(problem.loads(current)[0])
    if not load <= limit:
        raise ProblemError(
            f"a schedule of load {load:.4g} cannot be widened to {limit:g}: project it instead"
        )
    rows = np.maximum(shrink_path(problem.groups, current, largest=np.inf), current)
    fits = np.flatnonzero(problem.loads(rows) <= limit)
    first = int(fits[0])  # the last row is the schedule itself, which fits
    proportional = fill_up(problem, rows[first], rows[max(first - 1, 0)], limit)
    return _row(fill_up(problem, proportional, problem.full, limit))


def within_budget(problem: Problem, schedules: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Schedules to begin with, as they are where they are within budget, else projected to it.

    Args:
        problem: G groups and their load.
        schedules: legal widths, G each.

    Raises:
        MisuseError: one is no legal schedule.
    """
    rows = [tuple(int(width) for width in schedule) for schedule in schedules]
    for row in rows:
        problem.check_legal(row)
    return [row if problem.feasible(row)[0] else project(problem, row) for row in rows]


def _boundaries(group: Group) -> FloatArray:
    """Midpoints between neighbouring choices."""
    choices = np.asarray(group.choices, dtype=np.float64)
    return (choices[1:] + choices[:-1]) / 2.0


def _row(widths: IntArray) -> tuple[int, ...]:
    return tuple(int(width) for width in widths)
