"""What the solver believes: curves from probes, and a regression that learns and doubts."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from searchers import Group
from searchers.solver.foresight import capacity_lost
from searchers.solver.probes import (
    UNPRUNED,
    norm_lost,
    planned,
    sensitivities,
    shrinkage,
)
from searchers.solver.surrogate import Surrogate
from searchers.solver.tables import places_of
from searchers.testing import sample_problem

GROUPS = (
    Group("a", 16, tuple(range(1, 17))),
    Group("b", 8, (2, 8)),
    Group("c", 4, (4,)),
    Group("d", 32, (4, 8, 16, 32)),
)
PROBED = {UNPRUNED: 0.5, (0, 1): 2.0, (0, 6): 1.0, (0, 11): 0.5, (1, 2): 0.75, (3, 4): 1.0}


def test_every_group_is_probed_at_its_narrowest_and_evenly_below_full() -> None:
    probes = planned(GROUPS, 3)
    assert probes[0] == UNPRUNED
    by_group = [[width for group, width in probes[1:] if group == index] for index in range(4)]
    assert by_group == [[1, 6, 11], [2], [], [4, 8, 16]]
    assert planned(GROUPS, 1) == [UNPRUNED, (0, 1), (1, 2), (3, 4)]
    assert planned(GROUPS, 0) == []


def test_damage_is_the_logarithm_of_how_far_the_loss_rose() -> None:
    curves = sensitivities(GROUPS, PROBED)
    assert curves is not None
    a, b, c, d = curves
    assert a[[0, 5, 10, 15]] == pytest.approx([np.log(4), np.log(2), 0.0, 0.0])
    assert b == pytest.approx([np.log(1.5), 0.0])
    assert c.tolist() == [0.0]
    # Halving the width is a third of the way to an eighth of it.
    assert d == pytest.approx(np.log(2) * np.array([1.0, 2 / 3, 1 / 3, 0.0]))


def test_curves_never_fall_while_a_group_is_narrowed_whatever_the_probes_say() -> None:
    noisy = {**PROBED, (0, 1): 0.8, (0, 11): 0.4}
    curves = sensitivities(GROUPS, noisy)
    assert curves is not None
    for curve, group in zip(curves, GROUPS, strict=True):
        assert len(curve) == len(group.choices)
        assert np.all(np.diff(curve) <= 0.0)
        assert curve[-1] == 0.0
    # The narrowest scored better than a wider one: it is believed no better.
    assert curves[0][0] == pytest.approx(np.log(2))


def test_losses_that_are_not_positive_are_subtracted() -> None:
    curves = sensitivities(GROUPS, {**PROBED, UNPRUNED: -0.5})
    assert curves is not None
    assert curves[0][[0, 5, 15]] == pytest.approx([2.5, 1.5, 0.0])


def test_a_probe_that_failed_is_interpolated_over() -> None:
    curves = sensitivities(GROUPS, {key: x for key, x in PROBED.items() if key != (0, 6)})
    assert curves is not None
    assert 0.0 < curves[0][5] < np.log(4)


@pytest.mark.parametrize("missing", [UNPRUNED, (1, 2)])
def test_without_the_unpruned_network_or_a_whole_group_there_are_no_curves(
    missing: tuple[int, int],
) -> None:
    losses = {key: loss for key, loss in PROBED.items() if key != missing}
    assert sensitivities(GROUPS, losses) is None


def test_norms_lost_are_those_of_the_weakest_filters() -> None:
    group = Group("a", 4, (1, 3, 4), np.array([4.0, 1.0, 3.0, 2.0]))
    curves = norm_lost([group])
    assert curves is not None
    assert curves[0] == pytest.approx([0.6, 0.1, 0.0])
    assert norm_lost([group, GROUPS[0]]) is None


PROBLEM = sample_problem(groups=5, choices=6)
CHAIN = list(pairwise(range(5)))
Rows = npt.NDArray[np.int64]


def schedules(count: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.choice(group.choices, size=count) for group in PROBLEM.groups])


def own(widths: Rows) -> npt.NDArray[np.float64]:
    """Every group hurts in its own way, one with a cliff; nothing that its width alone says."""
    lost = 1.0 - widths / PROBLEM.full
    return np.asarray(
        3.0 * lost[:, 0] ** 3 + lost[:, 1] + 2.0 * (lost[:, 2] > 0.6) + 0.1 * lost[:, 3] ** 0.5
    )


def joint(widths: Rows) -> npt.NDArray[np.float64]:
    lost = 1.0 - widths / PROBLEM.full
    return own(widths) + 6.0 * lost[:, 1] * lost[:, 2]


def model(pairs: list[tuple[int, int]]) -> Surrogate:
    return Surrogate(PROBLEM.groups, [shrinkage(PROBLEM.groups)], pairs)


def standardised(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((values - values.mean()) / values.std())


def held_out(surrogate: Surrogate, truth: object, told: int = 80) -> float:
    """Correlation with the truth where nothing was told."""
    assert callable(truth)
    rows, others = schedules(told, 0), schedules(300, 1)
    belief = surrogate.fit(places_of(PROBLEM.groups, rows), standardised(truth(rows)))
    said = surrogate.features(places_of(PROBLEM.groups, others)) @ belief.mean()
    return float(np.corrcoef(said, truth(others))[0, 1])


def test_a_loss_that_is_a_sum_over_groups_is_learned() -> None:
    surrogate = model([])
    before = surrogate.features(places_of(PROBLEM.groups, schedules(300, 1))) @ surrogate.prior()
    assert np.corrcoef(before, own(schedules(300, 1)))[0, 1] < 0.9
    assert held_out(surrogate, own) > 0.98


def test_neighbours_that_hurt_together_are_learned_where_a_sum_misses_them() -> None:
    with_pairs, without = held_out(model(CHAIN), joint), held_out(model([]), joint)
    assert with_pairs > 0.98
    assert 1.0 - with_pairs < 0.5 * (1.0 - without)


def test_what_was_told_without_noise_is_reproduced() -> None:
    surrogate, rows = model(CHAIN), schedules(40, 0)
    values = standardised(own(rows))
    features = surrogate.features(places_of(PROBLEM.groups, rows))
    belief = surrogate.fit(places_of(PROBLEM.groups, rows), values)
    assert belief.noise == 0.02
    assert features @ belief.mean() == pytest.approx(values, abs=0.05)


def test_noise_is_found_where_there_is_noise() -> None:
    surrogate, rows = model(CHAIN), schedules(80, 0)
    values = standardised(own(rows) + np.random.default_rng(0).normal(scale=0.5, size=80))
    assert surrogate.fit(places_of(PROBLEM.groups, rows), values).noise in (0.3, 0.6)


def test_samples_differ_most_where_nothing_was_told() -> None:
    surrogate = model(CHAIN)
    rows = schedules(12, 0)
    rows[:, 4] = PROBLEM.groups[4].choices[-1]
    belief = surrogate.fit(places_of(PROBLEM.groups, rows), standardised(own(rows)))
    rng = np.random.default_rng(3)
    samples = np.array([belief.sample(rng) for _ in range(60)])
    elsewhere = rows.copy()
    elsewhere[:, 4] = PROBLEM.groups[4].choices[0]

    def spread(widths: Rows) -> float:
        features = surrogate.features(places_of(PROBLEM.groups, widths))
        return float((features @ samples.T).std(axis=1).mean())

    assert spread(elsewhere) > 1.5 * spread(rows)
    assert np.array_equal(belief.sample(np.random.default_rng(3)), samples[0])


def test_a_measure_that_would_be_worth_damage_is_left_out() -> None:
    """Two measures that rise together: a little noise makes the weight of one negative."""
    shrunk = shrinkage(PROBLEM.groups)
    steep = tuple(curve**3 for curve in shrunk)
    surrogate, rows = Surrogate(PROBLEM.groups, [shrunk, steep], []), schedules(30, 0)
    places = places_of(PROBLEM.groups, rows)
    values = standardised(surrogate.features(places)[:, 1:3] @ [2.0, -0.7])
    weights = surrogate.fit(places, values).mean()[1:3]
    assert weights[0] > 0.0
    assert weights[1] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_narrowing_one_group_alone_never_helps_in_its_table(seed: int) -> None:
    """Whatever the coefficients; where they agree, the table says what the features say."""
    surrogate = model(CHAIN)
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=surrogate.size)
    table = surrogate.table(drawn)
    assert all(np.all(np.diff(curve) <= 0.0) for curve in table.singles)
    places = places_of(PROBLEM.groups, schedules(50, seed))
    agreeing = np.abs(drawn)
    predicted = surrogate.features(places) @ agreeing
    assert surrogate.table(agreeing)(places) == pytest.approx(predicted)
    assert not np.allclose(table(places), surrogate.features(places) @ drawn)


def test_capacity_falls_by_the_mean_over_layers_of_the_logarithm_of_their_widths() -> None:
    stream, *others = GROUPS
    a, b, c, d = capacity_lost([replace(stream, layers=3), *others])
    assert a[0] == pytest.approx(np.log(16) * 3 / 6)
    assert b[0] == pytest.approx(np.log(4) / 6)
    assert c.tolist() == [0.0]
    assert d == pytest.approx(np.log([8.0, 4.0, 2.0, 1.0]) / 6)
