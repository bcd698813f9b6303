"""What a network puts out for a fixed input: two with the same weights, and other code, differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from autoprune.data.seeding import isolated_randomness
from autoprune.user_code import raised

Recorded = dict[str, Any]
"""JSON: the shape of one input, and numbers of each output by its place among the outputs."""

TOLERANCE = 1e-3
"""Of an output's largest number: another machine's rounding stays below a tenth of it."""
_NUDGE = 1e-6
_UNSTEADY = 1e-4
_SEED = 0
_INPUTS = 2
_OUTPUTS = 8
_NUMBERS = 64


def record_outputs(model: nn.Module, shape: Sequence[int]) -> Recorded | None:
    """Some numbers of what a network puts out for seeded random inputs.

    Outputs that a last bit of the input moves (a sort, a random draw) are left out: rounding alone
    would make another network of them.

    Args:
        model: unpruned, with its base weights, in evaluation mode.
        shape: of one input.

    Returns:
        None where no output can be compared.
    """
    inputs = _inputs(shape)
    try:
        found = _outputs(model, inputs)
        nudged = _outputs(model, inputs * (1.0 + _NUDGE), seed=_SEED + 1)
    except Exception:
        return None  # a batch of two does not run, which says nothing of the code
    steady = {
        place: numbers
        for place, numbers in found.items()
        if _distance(numbers, nudged.get(place)) < _UNSTEADY
    }
    return {"input": list(shape), "outputs": steady} if steady else None


def outputs_differ(model: nn.Module, recorded: Recorded) -> str | None:
    """How a network's outputs differ from those recorded, in words; None where they agree.

    Args:
        model: in evaluation mode, with the weights that it was recorded with.
        recorded: by :func:`record_outputs`.
    """
    try:
        found = _outputs(model, _inputs(recorded["input"]))
    except Exception as error:
        return f"it stops with {raised(error)}"
    distances = [
        _distance(numbers, found.get(place)) for place, numbers in recorded["outputs"].items()
    ]
    worst = max(distances)
    if worst == float("inf"):
        return "for the same input its outputs are others in number or shape"
    return (
        f"for the same input its outputs are up to {worst:.1%} off" if worst > TOLERANCE else None
    )


def _inputs(shape: Sequence[int]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(_SEED)
    return torch.randn(_INPUTS, *shape, generator=generator)


def _outputs(model: nn.Module, inputs: torch.Tensor, seed: int = _SEED) -> dict[str, list[float]]:
    """Numbers spread evenly over each of the first outputs, by the output's place."""
    with isolated_randomness(seed), torch.no_grad():
        leaves = tree_leaves(model(inputs.clone()))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)][:_OUTPUTS]
    return {
        str(place): _spread(leaf)
        for place, leaf in enumerate(tensors)
        if leaf.is_floating_point() and leaf.numel() and bool(leaf.isfinite().all())
    }


def _spread(output: torch.Tensor) -> list[float]:
    numbers = output.detach().flatten()
    places = torch.linspace(0, len(numbers) - 1, min(len(numbers), _NUMBERS)).round().long()
    return [float(number) for number in numbers[places]]


def _distance(expected: Sequence[float], found: Sequence[float] | None) -> float:
    """The largest difference, as a fraction of the largest number expected."""
    if found is None or len(found) != len(expected):
        return float("inf")
    scale = max(map(abs, expected)) or 1.0
    return max(abs(a - b) for a, b in zip(expected, found, strict=True)) / scale
