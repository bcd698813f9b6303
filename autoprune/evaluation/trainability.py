"""Whether a network can be trained, whole and pruned: one step on two images."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.data.targets import Tree, take
from autoprune.errors import ModelError, TaskError
from autoprune.evaluation.objective import Objective, objective_of
from autoprune.evaluation.outputs import of_more_outputs
from autoprune.evaluation.placement import CPU, arranged, device_of, follow, sent
from autoprune.evaluation.task_objective import check_finite_loss
from autoprune.evaluation.training_alone import (
    WITHOUT,
    entered_in_training_alone,
    ignoring,
    layers_at_fault,
)
from autoprune.pruning.exporting import innermost, watching
from autoprune.pruning.space import Kept, SearchSpace
from autoprune.pruning.surgery import prune
from autoprune.user_code import raised

IMAGES = 2
"""The fewest that a batch norm takes over single pixels."""
MORE_SEEDS = range(1, 4)
"""A path that stops the pruned network may be left out at random."""


def check_trainable(
    model: nn.Module,
    space: SearchSpace,
    dataset: Dataset,
    kept: Kept,
    device: torch.device = CPU,
) -> None:
    """Raise ModelError where training mode does what evaluation mode does not show.

    Args:
        model: unpruned; left as it is.
        kept: units of the candidate that is tried after the unpruned network.
        device: where they are trained.
    """
    _step(arranged(copy.deepcopy(model), dataset.layout, device), dataset, "")
    pruned = arranged(prune(model, space, kept), dataset.layout, device)
    try:
        _step(pruned, dataset, _lost(space, kept))
        _pass_again(pruned, dataset, _lost(space, kept))
    except _StoppedError as stopped:
        if device != CPU:
            raise
        layers = layers_at_fault(model, space, kept, lambda net, _: _stops(net, dataset))
        raise ModelError(f"{stopped}. {_advice_pruned(layers)}") from stopped


class _StoppedError(ModelError):
    """A pass of the pruned network stopped."""


def _pass_again(pruned: nn.Module, dataset: Dataset, lost: str) -> None:
    images, targets = _batch(dataset, device_of(pruned))
    for seed in MORE_SEEDS:
        with isolated_randomness(seed), torch.no_grad():
            _outputs(pruned, images.clone(), targets, objective_of(dataset), lost)


def _stops(network: nn.Module, dataset: Dataset) -> bool:
    network = arranged(network, dataset.layout).train()
    try:
        with isolated_randomness(0), torch.no_grad():
            images, targets = _batch(dataset, CPU)
            _outputs(network, images, targets, objective_of(dataset), "")
        _pass_again(network, dataset, "")
    except ModelError:
        return True
    return False


def _batch(dataset: Dataset, device: torch.device) -> tuple[torch.Tensor, Tree]:
    images = sent(dataset.normalise(dataset.train.images[:IMAGES]), device)
    return images, follow(take(dataset.train.targets, torch.arange(len(images))), device)


def _step(network: nn.Module, dataset: Dataset, pruned: str) -> None:
    """Forward, loss and gradients; no weight changes."""
    images, targets = _batch(dataset, device_of(network))
    objective = objective_of(dataset)
    before = images.clone()
    with isolated_randomness(0), torch.enable_grad():
        outputs = _outputs(network.train(), images, targets, objective, pruned)
        if not torch.equal(images, before):
            raise ModelError(
                "the model changes its input in place in training mode, so that a batch could not "
                "be used twice: let its forward begin with a copy, as in images = images.clone()"
            )
        if dataset.task is None and not isinstance(outputs, torch.Tensor):
            alone = entered_in_training_alone(network, lambda: network(images))
            raise ModelError(of_more_outputs(outputs, len(images), dataset, alone))
        objective.check(outputs, len(images), " in training mode")
        try:
            loss = objective.loss(outputs, targets)
            if dataset.task is not None and not pruned:
                check_finite_loss(dataset.task, loss, "on the first two training images")
            loss.backward()  # type: ignore[no-untyped-call]
        except TaskError:
            raise
        except Exception as error:
            raise ModelError(
                f"the model{pruned} cannot be trained: its gradients stop with "
                f"{raised(error)}. At least one parameter needs requires_grad, and "
                f"what its forward{_and_loss(dataset)} computes must be differentiable"
            ) from error


def _and_loss(dataset: Dataset) -> str:
    return "" if dataset.task is None else f", and the loss of {dataset.task.says},"


def _outputs(
    network: nn.Module, images: torch.Tensor, targets: Tree, objective: Objective, pruned: str
) -> Any:
    entered: list[str] = []
    with watching(network, entered):
        try:
            return objective.forward(network, images, targets)
        except TaskError:
            raise
        except Exception as error:
            stopped = (
                f"the model cannot be trained: in training mode {_place(entered)}{pruned} raised "
                f"{raised(error)}"
            )
            if images.device != CPU:
                raise ModelError(f"{stopped}. {_ON_A_GPU}") from error
            if pruned:
                raise _StoppedError(stopped) from error
            raise ModelError(f"{stopped}. {_SAME_IN_TRAINING}") from error


def _place(entered: list[str]) -> str:
    where = innermost(entered)
    return f"layer {where!r}" if any(entered) else where


def _lost(space: SearchSpace, kept: Mapping[str, torch.Tensor]) -> str:
    left = sum(len(kept[group.name]) for group in space.groups)
    return f", with {left} of {sum(group.units for group in space.groups)} units left,"


_ON_A_GPU = (
    "On a GPU every tensor that its forward uses must be a parameter or a buffer "
    "(register_buffer), or be made on the device of its input; does it train on the CPU?"
)
_SAME_IN_TRAINING = (
    "Let its forward compute the same in training mode, dropout and batch norm aside"
)


def _advice_pruned(layers: list[str]) -> str:
    return (
        "What runs in training alone reads channels that evaluation prunes. Leave it out: "
        f"{WITHOUT}; or leave what it reads whole with {ignoring(layers)}"
    )
