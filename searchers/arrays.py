"""A search problem from plain arrays: legal widths, and tables of latencies over them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from searchers.contract import FloatArray, Group, LayerTraits, Problem, ProblemError
from searchers.lookup import TableLoad, TableSums

Names = tuple[str, ...]


def problem_from_arrays(
    *,
    choices: Mapping[str, Sequence[int]],
    latency: Mapping[Names, npt.ArrayLike],
    budget: float | str,
    trials: int,
    unit_norms: Mapping[str, npt.ArrayLike] | None = None,
    traits: Mapping[str, LayerTraits] | None = None,
) -> Problem:
    """Make a problem whose latency is a sum of tables over the widths of one or two groups.

    ::

        >>> from searchers import make, problem_from_arrays
        >>> problem = problem_from_arrays(
        ...     choices={"conv1": [4, 8], "conv2": [8, 16, 32]},
        ...     latency={
        ...         (): 0.001,                                          # seconds, at any widths
        ...         ("conv1",): [0.002, 0.004],                         # by the width of conv1
        ...         ("conv1", "conv2"): [[0.002, 0.003, 0.005],         # a row per width of conv1
        ...                              [0.003, 0.005, 0.010]],
        ...     },
        ...     budget="60%",
        ...     trials=10,
        ... )
        >>> problem.loads([[8, 32], [8, 16], [4, 32]]).round(3).tolist()  # 1 is the budget: 9 ms
        [1.667, 1.111, 0.889]
        >>> make("uniform", problem).ask().widths
        (4, 16)

    A layer between two groups has a table by both widths; a layer whose inputs are always all
    there, such as the first, has one by its own width. Tables of layers between the same two
    groups are to be added up. A pair may name one group twice (a layer from a residual stream into
    itself), and a table may have more than two names (a concatenation).

    Args:
        choices: group -> its legal widths, ascending, the last being that of the unpruned network;
            groups in the order of the network.
        latency: names of groups -> seconds at their legal widths, one axis for each name; ``()`` is
            a constant. Every group must be in one.
        budget: seconds, or a share of the unpruned network's latency such as ``"50%"``.
        trials: how many candidates and steps may be asked for.
        unit_norms: group -> squared L2 norm of each of its units; LeGR needs them for all groups.
        traits: group -> the layer that produces it; AMC needs them for all groups.

    Returns:
        A problem whose load is the latency over the budget. The load takes legal widths only, so
        AMC's ``original_rounding``, which asks about others, cannot be used with it.

    Raises:
        ProblemError: arguments that do not fit together, or nothing to search within the budget.
    """
    if not choices:
        raise ProblemError("there is nothing to search: choices name no group")
    norms, layers = unit_norms or {}, traits or {}
    for what, names in (("unit_norms", norms), ("traits", layers)):
        _check_known(what, names, choices)
    groups = tuple(
        _group(name, widths, norms.get(name), layers.get(name)) for name, widths in choices.items()
    )
    tables = {names: _table(names, seconds, choices) for names, seconds in latency.items()}
    unpriced = sorted(set(choices) - {name for names in tables for name in names})
    if unpriced:
        raise ProblemError(
            f"no latency depends on {_list(unpriced)}: give a table that names each, or leave it "
            "out of choices"
        )
    order = list(choices)
    seconds = TableSums(
        groups, tuple((tuple(map(order.index, names)), table) for names, table in tables.items())
    )
    full = np.array([[group.units for group in groups]], dtype=np.float64)
    return Problem(groups, TableLoad(seconds, _budget_s(budget, float(seconds(full)[0]))), trials)


def _group(
    name: str, widths: Sequence[int], norms: npt.ArrayLike | None, layer: LayerTraits | None
) -> Group:
    try:
        choices = tuple(operator.index(width) for width in widths)
    except TypeError as error:
        raise ProblemError(
            f"group {name!r}: choices must be whole numbers of units, got {widths!r}"
        ) from error
    squared = None if norms is None else _finite(f"unit_norms of {name!r}", norms)
    return Group(name, choices[-1] if choices else 0, choices, squared, layer)


def _table(
    names: Names, seconds: npt.ArrayLike, choices: Mapping[str, Sequence[int]]
) -> FloatArray:
    """The table for these groups, [choices of the first, choices of the second]."""
    if not isinstance(names, tuple):
        raise ProblemError(
            f"latency is by tuples of group names, such as ('a', 'b') or ('a',), got {names!r}"
        )
    _check_known("latency", names, choices)
    table = _finite(f"latency of {names}", seconds)
    shape = tuple(len(choices[name]) for name in names)
    if table.shape != shape:
        raise ProblemError(
            f"latency of {names} must have shape {shape}, one entry for every legal width, "
            f"got {table.shape}"
        )
    return table


def _finite(what: str, values: npt.ArrayLike) -> FloatArray:
    """A copy that nobody else can change."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ProblemError(f"{what} must be an array of numbers: {error}") from error
    wrong = np.argwhere(~(np.isfinite(array) & (array >= 0.0)))
    if len(wrong):
        where = tuple(wrong[0].tolist())
        raise ProblemError(
            f"{what} must be finite and not negative, got {array[where]:g} at {list(where)}"
        )
    array.setflags(write=False)
    return array


def _budget_s(budget: float | str, full_s: float) -> float:
    """The budget in seconds, where the unpruned network takes ``full_s``."""
    share = isinstance(budget, str) and budget.strip().endswith("%")
    try:
        number = float(budget.strip().removesuffix("%") if isinstance(budget, str) else budget)
    except (TypeError, ValueError):
        number = float("nan")
    seconds = number / 100.0 * full_s if share else number
    if (isinstance(budget, str) and not share) or not 0.0 < seconds < float("inf"):
        raise ProblemError(
            "budget must be seconds above 0, such as 0.012, or a share of the unpruned network's "
            f"{full_s:g} s, such as '50%'; got {budget!r}"
        )
    return seconds


def _check_known(what: str, names: Iterable[str], choices: Mapping[str, Sequence[int]]) -> None:
    unknown = [name for name in names if name not in choices]
    if unknown:
        raise ProblemError(
            f"{what} names {_list(unknown)}, which choices do not have; they have {_list(choices)}"
        )


def _list(names: Iterable[object]) -> str:
    return ", ".join(map(repr, names))
