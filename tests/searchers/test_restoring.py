"""What is said of a state that cannot be gone on from."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from searchers import LeGR, MisuseError, SearcherState
from searchers.testing import run, sample_problem, sample_score


@pytest.fixture
def state() -> SearcherState:
    searcher = LeGR(sample_problem())
    run(searcher, sample_score(sample_problem()), tells=5)
    return searcher.state()


def refusal(state: SearcherState) -> str:
    with pytest.raises(MisuseError) as refused:
        LeGR(sample_problem()).restore(state)
    return str(refused.value)


def common(state: SearcherState, **changes: object) -> SearcherState:
    values: Any = state.values
    return replace(state, values={**values, "common": {**values["common"], **changes}})


def test_a_newer_version_is_said_to_be_newer_and_what_to_do(state: SearcherState) -> None:
    said = refusal(replace(state, version=3))
    assert "of version 3, newer than the version 2" in said
    assert said.endswith(
        "a newer version of autoprune, or of the package that adds 'legr', wrote it; update it"
    )


def test_a_missing_part_is_named(state: SearcherState) -> None:
    values: Any = state.values
    own = {key: value for key, value in values["own"].items() if key != "asked"}
    assert "damaged (KeyError: 'asked' is missing)" in refusal(
        replace(state, values={**values, "own": own})
    )
    arrays = {name: array for name, array in state.arrays.items() if name != "members"}
    assert "the array 'members' is missing" in refusal(replace(state, arrays=arrays))


def test_an_array_of_another_shape_or_kind_is_named_with_what_was_expected(
    state: SearcherState,
) -> None:
    for wrong, got in (
        (np.zeros((5, 12)), "(5, 12) of float64"),
        (np.zeros((5, 13), dtype=complex), "(5, 13) of complex128"),
    ):
        said = refusal(replace(state, arrays={**state.arrays, "members": wrong}))
        assert f"'members' must have shape (any, 13) and hold float64, got {got}" in said


def test_numbers_that_contradict_each_other_are_named(state: SearcherState) -> None:
    assert "30 trials of 9 suggestions" in refusal(common(state, counted=30))
    assert "9 trials of 8 suggestions" in refusal(common(state, asked=8))
    values: Any = state.values
    pending = values["common"]["pending"]
    assert "suggestions [5, 5] are pending" in refusal(
        common(state, pending=[pending[0], pending[0]])
    )
    assert "width 33 is not one of" in refusal(
        common(state, pending=[{**pending[0], "widths": [33] * 6}])
    )


def test_a_state_of_another_seed_is_named(state: SearcherState) -> None:
    assert refusal(common(state, seed=4)) == (
        "cannot restore: the state's seed is 4, this searcher's is 0"
    )
