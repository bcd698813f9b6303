"""Rebuild the pruned network from a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from autoprune.errors import ModelError
from autoprune.export.files import (
    CHECK,
    WEIGHTS,
    check_file,
    check_seal,
    read_check,
    read_schedule,
    read_tensors,
)
from autoprune.export.onnx_files import TOLERANCE, difference
from autoprune.export.schedule import Schedule
from autoprune.export.shapes import first_difference
from autoprune.models.attention import prunable_attention
from autoprune.models.registry import build_model, call_factory
from autoprune.pruning.parts import part_of
from autoprune.pruning.surgery import fit

ModelSource = str | nn.Module | Callable[..., nn.Module]
"""A name as ``--model`` takes it, the unpruned network, or a factory of it."""


def load(folder: str | Path, model: ModelSource | None = None) -> nn.Module:
    """The pruned network of a bundle, in eval mode, on the CPU.

    Args:
        folder: written by ``autoprune export``.
        model: the unpruned network that was pruned, with any weights: a name, a module (it stays
            as it is), or a factory, called with ``num_classes`` and ``input_shape`` where it takes
            them. None takes the name in ``schedule.json``, whose module then is imported and run.

    Raises:
        InputError: the folder is no bundle, or one of a newer version.
        VerificationError: a file is missing or altered.
        ModelError: ``model`` is not the network that was pruned; names the first layer to differ.
    """
    folder = Path(folder)
    schedule = read_schedule(folder)
    check_seal(folder, schedule)
    for name in (WEIGHTS, CHECK):
        check_file(folder, name, schedule)
    pruned = fit_checked(
        unpruned_network(schedule, model), schedule, read_tensors(folder / WEIGHTS)
    )
    _check_outputs(part_of(pruned, schedule.model.part), *read_check(folder))
    return pruned


def unpruned_network(schedule: Schedule, model: ModelSource | None) -> nn.Module:
    """The network that was pruned, with whatever weights its source gives it.

    Its attention has heads that can be pruned, as it had in the search.
    """
    reference = schedule.model
    if isinstance(model, nn.Module):
        return prunable_attention(model)
    if callable(model):
        name = getattr(model, "__name__", repr(model))
        made = call_factory(name, model, reference.classes, reference.input_shape)
        return prunable_attention(made)
    named = model or reference.name
    if named is None:
        raise ModelError(
            "the bundle does not name its model, which was given in Python: "
            "load it with load(folder, model=factory)"
        )
    try:
        return build_model(named, classes=reference.classes, input_shape=reference.input_shape)
    except ModelError as error:
        if model is not None:
            raise
        raise ModelError(
            f"{error}. That is the name in the bundle; where it leads nowhere, give the unpruned "
            "model yourself: model=FACTORY in autoprune.load, --model for 'autoprune verify'"
        ) from error


def fit_checked(
    model: nn.Module, schedule: Schedule, state: Mapping[str, torch.Tensor]
) -> nn.Module:
    """Fit the network to the bundle's tensors, if it is the network they come from."""
    own = model.state_dict()
    wrong = first_difference(schedule.layers, own, "before")
    if wrong is None:
        wrong = _first_other_name(own, state)
    if wrong is not None:
        raise ModelError(
            f"this is not the network the bundle was pruned from: {wrong}. "
            f"Give the unpruned model{_named(schedule)} as model="
        )
    return fit(model, state).eval()


def _first_other_name(own: Mapping[str, object], state: Mapping[str, object]) -> str | None:
    for name in own:
        if name not in state:
            return f"it has {name!r}, which the bundle lacks"
    for name in state:
        if name not in own:
            return f"it lacks {name!r}, which the bundle has"
    return None


def _named(schedule: Schedule) -> str:
    return f" ({schedule.model.name})" if schedule.model.name else ""


def _check_outputs(
    pruned: nn.Module, given: torch.Tensor, expected: tuple[torch.Tensor, ...]
) -> None:
    with torch.inference_mode():
        output = pruned(given)
    apart = difference(output, expected)
    if not apart <= TOLERANCE:
        raise ModelError(
            "this is not the network the bundle was pruned from: its layers have the right sizes, "
            f"but outputs differ by {apart:.2g} on the bundle's own input ({TOLERANCE:g} is "
            "allowed). Give the model whose forward pass was exported"
        )
