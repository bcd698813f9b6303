"""AMC's walk reproduces the authors' channels on MobileNetV1, and by default never overshoots."""

import numpy as np
import numpy.typing as npt
import pytest

from searchers import Group, LayerTraits, Problem, ProblemError
from searchers.amc.walk import FEATURES, Walk
from searchers.testing import sample_problem

# Output channels and output side of the first convolution and of the 13 separable blocks at 224.
FIRST = (32, 112)
BLOCKS = [
    (64, 112), (128, 56), (128, 56), (256, 28), (256, 28), (512, 14), (512, 14), (512, 14),
    (512, 14), (512, 14), (512, 14), (1024, 7), (1024, 7),
]  # fmt: skip
CLASSES = 1000
TOTAL = 568_740_352


def macs(widths: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """MACs of MobileNetV1 for the widths [N, 14] of the first convolution and the 13 blocks."""
    total = 3 * 9 * FIRST[1] ** 2 * widths[:, 0]
    for index, (_, side) in enumerate(BLOCKS):
        depthwise = 9 * side**2 * widths[:, index]
        total = total + depthwise + side**2 * widths[:, index] * widths[:, index + 1]
    return np.asarray(total + widths[:, -1] * CLASSES, dtype=np.float64)


def mobilenet(target: float) -> Problem:
    units = [FIRST[0], *(channels for channels, _ in BLOCKS)]
    groups = tuple(
        Group(f"g{i}", u, tuple(range(8, u + 1, 8)), traits=LayerTraits("conv", 3, u, 1, 3, u))
        for i, u in enumerate(units)
    )
    return Problem(groups, lambda widths: macs(widths) / (target * TOTAL), trials=1)


def walked(problem: Problem, action: float, original: bool) -> list[int]:
    walk = Walk(problem, lower_bound=0.2, original_rounding=original)
    taken: list[int] = []
    for _ in problem.groups:
        taken.append(walk.width(taken, action))
    return taken


CHECKS = [
    (1.0, 0.50, "32 64 128 128 256 256 512 368 104 104 104 104 208 208", 0.5011),
    (0.7, 0.50, "24 48 96 96 184 184 360 360 360 360 360 360 720 352", 0.5002),
    (1.0, 0.25, "32 64 128 120 56 56 104 104 104 104 104 104 208 208", 0.2544),
    (0.0, 0.50, "8 16 32 32 56 56 104 104 104 104 104 104 208 208", 0.0565),
    (0.0, 0.25, "8 16 32 32 56 56 104 104 104 104 104 104 208 208", 0.0565),
]


def test_the_network_has_the_published_macs() -> None:
    full = mobilenet(0.5).full[None, :].astype(np.float64)
    assert macs(full)[0] == TOTAL


@pytest.mark.parametrize(("action", "target", "kept", "ratio"), CHECKS)
def test_original_rounding_reproduces_the_authors_channels(
    action: float, target: float, kept: str, ratio: float
) -> None:
    taken = walked(mobilenet(target), action, original=True)
    assert taken == [int(width) for width in kept.split()]
    assert macs(np.array([taken], dtype=np.float64))[0] / TOTAL == pytest.approx(ratio, abs=5e-5)


@pytest.mark.parametrize(("action", "target", "kept", "ratio"), CHECKS)
def test_default_rounding_never_overshoots(
    action: float, target: float, kept: str, ratio: float
) -> None:
    problem = mobilenet(target)
    assert problem.feasible(walked(problem, action, original=False))[0]


def test_every_sequence_of_actions_meets_a_cost_that_is_not_monotone() -> None:
    problem = sample_problem(budget=0.3, staircase=True)
    walk = Walk(problem)
    rng = np.random.default_rng(0)
    for _ in range(100):
        taken: list[int] = []
        for _ in problem.groups:
            taken.append(walk.width(taken, rng.uniform()))
        assert problem.feasible(taken)[0]


def test_a_budget_below_the_lower_bound_is_met_by_going_below_it() -> None:
    problem = sample_problem(budget=0.02)
    taken = walked(problem, 0.0, original=False)
    assert min(np.array(taken) / problem.full) < 0.2
    assert problem.feasible(taken)[0]


def test_features_say_what_was_saved_and_what_was_taken() -> None:
    problem = sample_problem()
    walk = Walk(problem)
    first = walk.features([], 1.0)
    second = walk.features([problem.groups[0].choices[0]], 0.0625)
    assert first.shape == (FEATURES,)
    assert first[7] == 0.0
    assert second[7] > 0.0
    assert first[8] > second[8]
    assert (first[9], second[9]) == (1.0, 0.0625)


def test_a_group_without_traits_is_named() -> None:
    bare = Group("stem.conv", 8, (4, 8))
    problem = Problem((bare,), lambda widths: widths[:, 0] / 6, trials=4)
    with pytest.raises(ProblemError, match=r"'stem\.conv' has no traits"):
        Walk(problem)
