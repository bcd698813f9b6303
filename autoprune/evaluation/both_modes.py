"""Whether a network puts out the same in training mode and in evaluation mode.

Candidates are trained by what training mode puts out, and scored and taught by what evaluation mode
does. Dropout and batch norm do not count: both are in eval mode here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.utils._pytree import tree_leaves

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.data.targets import Tree, take
from autoprune.errors import ModelError
from autoprune.evaluation.modes import evaluating, training_around_norms
from autoprune.evaluation.objective import Objective, objective_of
from autoprune.evaluation.placement import CPU, arranged, follow, sent

IMAGES = 8
SEEDS = range(4)
"""What differs from seed to seed is drawn at random, as stochastic depth is, and may differ."""
TOLERANCE = 1e-2
"""Of the largest output: branches that are merged for evaluation differ by their rounding."""
_SUMS_TO_ONE = 1e-3

Outputs = list[torch.Tensor]


def compare_modes(model: nn.Module, dataset: Dataset, device: torch.device = CPU) -> str | None:
    """A warning where the two modes put out something else for the same images; None otherwise.

    A normalising layer of the user's own may differ rightly, and a task's loss may know of both, so
    these are not refused.

    Args:
        model: unpruned; left as it is. It runs in both modes, or nothing is compared.
        device: where it is trained.

    Raises:
        ModelError: class scores become probabilities in evaluation mode alone.
    """
    task = dataset.task
    if task is not None and task.loss_in_training_mode:
        return None  # it says itself that they differ
    try:
        evaluated, trained = _outputs(model, dataset, device)
    except Exception:
        return None  # what fails there is told where it is trained and scored
    if not _alike(evaluated, trained[0]):
        return None
    if any(
        _is_probable(a) and not _is_probable(b) for a, b in zip(evaluated, trained[0], strict=True)
    ):
        if task is None:
            raise ModelError(_of_softmax(model, "and put softmax outside of the network"))
        return _of_softmax(
            model, f"or set loss_in_training_mode of {task.says}, where its loss takes the latter"
        )
    furthest = _distance(evaluated, trained, classes=task is None)
    return None if furthest <= TOLERANCE else _of_modes(model, furthest)


def _outputs(
    model: nn.Module, dataset: Dataset, device: torch.device
) -> tuple[Outputs, list[Outputs]]:
    """Those of evaluation mode, and those of training mode by seed."""
    network = arranged(copy.deepcopy(model), dataset.layout, device)
    images = sent(dataset.normalise(dataset.train.images[:IMAGES]), device)
    targets = follow(take(dataset.train.targets, torch.arange(len(images))), device)
    objective = objective_of(dataset)
    with evaluating(network):
        evaluated = _of_one_pass(network, images, targets, objective, SEEDS[0])
        with training_around_norms(network):
            trained = [_of_one_pass(network, images, targets, objective, seed) for seed in SEEDS]
    return evaluated, trained


def _of_one_pass(
    network: nn.Module, images: torch.Tensor, targets: Tree, objective: Objective, seed: int
) -> Outputs:
    with isolated_randomness(seed):
        outputs = objective.forward(network, images.clone(), targets)
    leaves = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
    return [leaf.clone() for leaf in leaves if leaf.is_floating_point()]


def _alike(one: Outputs, other: Outputs) -> bool:
    return [leaf.shape for leaf in one] == [leaf.shape for leaf in other]


def _is_probable(output: torch.Tensor) -> bool:
    """Whether numbers along the second or the last dimension are probabilities."""
    if output.ndim < 2 or not bool((output >= 0).all()):
        return False
    return any(
        output.shape[dim] > 1 and bool(((output.sum(dim) - 1.0).abs() < _SUMS_TO_ONE).all())
        for dim in (1, -1)
    )


def _distance(evaluated: Outputs, trained: Sequence[Outputs], *, classes: bool) -> float:
    """The largest difference, as a fraction of the largest output; 0 where it is left to chance.

    Args:
        classes: class scores are compared up to what cross-entropy does not see.
    """
    first, *others = trained
    furthest = 0.0
    for place, (expected, found) in enumerate(zip(evaluated, first, strict=True)):
        if not all(_alike(first, other) and torch.equal(found, other[place]) for other in others):
            return 0.0
        if classes:
            expected, found = (functional.log_softmax(each, 1) for each in (expected, found))
        scale = float(expected.abs().max()) if expected.numel() else 0.0
        if scale > 0.0:
            furthest = max(furthest, float((expected - found).abs().max()) / scale)
    return furthest


def _of_softmax(model: nn.Module, remedy: str) -> str:
    return (
        f"{type(model).__name__} puts out probabilities in evaluation mode (numbers from 0 that "
        "sum to 1), and for the same images other numbers in training mode. It would be trained by "
        "the latter, and scored and taught by the former, which ruins the scores: let its forward "
        f"return the same in both modes, {remedy}"
    )


def _of_modes(model: nn.Module, furthest: float) -> str:
    return (
        f"{type(model).__name__} does not put out the same in training mode as in evaluation mode, "
        f"dropout and batch norm aside: for the same images its outputs differ by {furthest:.0%} "
        "of the largest one. Candidates are trained by the former, and scored and taught by the "
        "latter. Where its forward asks self.training, let it return the same in both modes; a "
        "normalising layer of its own may differ"
    )
