"""Problems made from arrays: what they cost and refuse, and that every searcher takes them."""

import pickle
from itertools import pairwise

import numpy as np
import pytest

from searchers import (
    Group,
    LayerTraits,
    Problem,
    ProblemError,
    make,
    problem_from_arrays,
    searcher_names,
)
from searchers.testing import run, sample_score

CHOICES = {"a": [2, 4], "b": [3, 6, 9], "c": [5]}
RNG = np.random.default_rng(0)
TABLES = {
    (): 0.5,
    ("a",): [1.0, 2.0],
    ("a", "b"): RNG.uniform(1.0, 2.0, size=(2, 3)),
    ("b", "a"): RNG.uniform(1.0, 2.0, size=(3, 2)),
    ("b", "b"): RNG.uniform(1.0, 2.0, size=(3, 3)),
    ("a", "b", "c"): RNG.uniform(1.0, 2.0, size=(2, 3, 1)),
}


def made(**changes: object) -> Problem:
    given = {"choices": CHOICES, "latency": TABLES, "budget": 100.0, "trials": 8, **changes}
    return problem_from_arrays(**given)


def test_load_is_the_sum_of_the_tables_entries_over_the_budget() -> None:
    problem = made(budget=10.0)
    widths = [(a, b, 5) for a in CHOICES["a"] for b in CHOICES["b"]]
    expected = [
        0.5
        + TABLES["a",][i]
        + TABLES["a", "b"][i, j]
        + TABLES["b", "a"][j, i]
        + TABLES["b", "b"][j, j]
        + TABLES["a", "b", "c"][i, j, 0]
        for i in range(2)
        for j in range(3)
    ]
    assert problem.loads(widths) == pytest.approx(np.array(expected) / 10.0)


def test_groups_are_in_the_order_of_the_choices_with_what_is_known_of_them() -> None:
    layer = LayerTraits("conv", 3, 9, 1, 3, 243)
    problem = made(unit_norms={"a": [1, 2, 3, 4]}, traits={"b": layer})
    assert problem.groups == (
        Group("a", 4, (2, 4)),
        Group("b", 9, (3, 6, 9), traits=layer),
        Group("c", 5, (5,)),
    )
    assert problem.groups[0].unit_norms.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_share_is_of_the_unpruned_latency() -> None:
    table = [[0.1, 0.2, 0.4], [0.1, 0.2, 0.8]]
    tables = {("a", "b"): table, ("c",): [0.2]}
    for budget, share in (("80%", 0.8), (" 62.5 %", 0.625), ("150%", 1.5)):
        problem = made(latency=tables, budget=budget)
        assert problem.loads([4, 9, 5])[0] == pytest.approx(1.0 / share)
        assert problem.loads([2, 6, 5])[0] == pytest.approx(0.4 / share)


def test_later_changes_of_the_arrays_change_nothing() -> None:
    table = np.ones((2, 3))
    problem = made(latency={("a", "b"): table, ("c",): [1.0]})
    before = problem.loads([2, 3, 5])
    table[:] = 7.0
    assert problem.loads([2, 3, 5]) == before


def test_the_load_can_be_sent_to_workers() -> None:
    problem = made()
    again = pickle.loads(pickle.dumps(problem))  # noqa: S301
    assert again.fingerprint == problem.fingerprint


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ([2, 4, 5], r"group 'b': no latency for width 4; its choices are 3, 6, 9"),
        ([2, 3.5, 5], r"group 'b': no latency for width 3\.5"),
        ([-1, 3, 5], r"group 'a': no latency for width -1"),
        ([2, 3, 50], r"group 'c': no latency for width 50"),
        ([2, 3, np.nan], r"group 'c': no latency for width nan"),
        ([2, 3], r"expected widths of shape \[N, 3\], got \[1, 2\]"),
    ],
)
def test_widths_that_are_no_choice_have_no_latency(widths: list[float], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        made().loads(widths)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latency": {**TABLES, ("a", "b"): np.ones((3, 2))}}, r"shape \(2, 3\).*got \(3, 2\)"),
        ({"latency": {**TABLES, (): [1.0]}}, r"latency of \(\) must have shape \(\)"),
        ({"latency": {**TABLES, ("a",): [1.0, -2.0]}}, r"not negative, got -2 at \[1\]"),
        (
            {"latency": {**TABLES, ("a",): [np.nan, 1.0]}},
            r"'a',\) must be finite.*got nan at \[0\]",
        ),
        ({"latency": {**TABLES, (): np.inf}}, r"must be finite.*got inf at \[\]"),
        ({"latency": {**TABLES, ("a",): [[1.0], [1.0, 2.0]]}}, r"must be an array of numbers"),
        ({"latency": {**TABLES, ("x", "a"): [1.0]}}, r"latency names 'x'.*they have 'a', 'b', 'c'"),
        ({"latency": {**TABLES, "a": [1.0, 2.0]}}, r"tuples of group names.*got 'a'"),
        ({"latency": {("a",): [1.0, 2.0]}}, r"no latency depends on 'b', 'c'"),
        ({"unit_norms": {"x": [1.0]}}, r"unit_norms names 'x'"),
        ({"unit_norms": {"a": [1.0, 2.0]}}, r"group 'a': unit_norms must have shape \(4,\)"),
        ({"unit_norms": {"c": [1, 1, np.nan, 1, 1]}}, r"unit_norms of 'c' must be finite.*\[2\]"),
        ({"traits": {"x": LayerTraits("conv", 1, 1, 1, 1, 1)}}, r"traits names 'x'"),
        ({"choices": {**CHOICES, "b": [6, 3, 9]}}, r"group 'b': choices must ascend"),
        ({"choices": {**CHOICES, "b": [3.0, 6.0, 9.0]}}, r"group 'b': choices must be whole"),
        ({"choices": {**CHOICES, "b": []}}, r"group 'b': choices must ascend"),
        ({"budget": 0.001}, r"no schedule meets the budget: the narrowest one costs "),
        ({"choices": {}}, r"nothing to search: choices name no group"),
        (
            {
                "choices": {name: w[-1:] for name, w in CHOICES.items()},
                "latency": {tuple("abc"): [[[1]]]},
            },
            r"every group has one",
        ),
        ({"trials": 0}, r"trials must be at least 1"),
    ],
)
def test_arrays_that_do_not_fit_together_are_named(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ProblemError, match=message):
        made(**changes)


@pytest.mark.parametrize("budget", ["50", "8ms", "%", "-5%", "nan%", "", 0.0, -1.0, np.inf, None])
def test_a_budget_that_is_none_is_refused(budget: object) -> None:
    with pytest.raises(ProblemError, match=r"budget must be seconds above 0.*got "):
        made(budget=budget)


def test_every_searcher_takes_such_a_problem() -> None:
    """A chain whose tables are staircases; also a step of width that costs nothing."""
    units = [16, 32, 32, 64]
    choices = {f"g{i}": list(range(u // 8, u + 1, u // 8)) for i, u in enumerate(units)}
    stairs = {name: np.ceil(np.array(c) / 16) for name, c in choices.items()}
    names = list(choices)
    latency = {("g0",): stairs["g0"]} | {
        (a, b): np.outer(stairs[a], stairs[b]) for a, b in pairwise(names)
    }
    problem = problem_from_arrays(
        choices=choices,
        latency=latency,
        budget="50%",
        trials=10,
        unit_norms={f"g{i}": np.arange(u) for i, u in enumerate(units)},
        traits={f"g{i}": LayerTraits("conv", 8, u, 1, 3, 72 * u) for i, u in enumerate(units)},
    )
    for name in searcher_names():
        told = run(make(name, problem), sample_score(problem))
        candidates = [said.widths for said, _ in told if said.purpose == "candidate"]
        assert candidates, name
        assert problem.feasible(candidates).all(), name
