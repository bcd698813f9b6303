"""What the solver is told of the finetune that its trials do not see."""

from __future__ import annotations

import math

import pytest

from autoprune.jobs.capacity import unseen_capacity


def test_it_grows_by_the_same_for_every_further_factor_in_steps() -> None:
    assert unseen_capacity(30, 30 * math.e**2) == pytest.approx(2 * 0.06, abs=1e-4)
    assert unseen_capacity(0, math.e) == unseen_capacity(1, math.e)


@pytest.mark.parametrize("trained", [0, 10, 30])
def test_trials_that_are_trained_as_long_as_the_end_see_everything(trained: float) -> None:
    assert unseen_capacity(30, trained) == 0.0
