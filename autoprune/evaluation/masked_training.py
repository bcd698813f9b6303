"""Whether removing units equals masking them in training mode too, as it does in evaluation mode.

What a forward does with channels in training mode alone, by their number or place, runs on with
fewer of them and does something else: a shuffle, half of the channels, a stochastic path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import GeneratorStates, isolated_randomness
from autoprune.data.targets import take
from autoprune.evaluation.modes import evaluating, training_around_norms
from autoprune.evaluation.objective import objective_of
from autoprune.evaluation.placement import CPU, arranged, follow, sent
from autoprune.evaluation.training_alone import ignoring, layers_at_fault
from autoprune.pruning.masking import masked_state
from autoprune.pruning.space import Kept, SearchSpace
from autoprune.pruning.surgery import fit, prune

IMAGES = 4
SEEDS = range(4)
"""A path may be left out at random."""
TOLERANCE = 1e-3
"""Of the largest output: sliced and masked networks differ by their rounding."""

Pass = tuple[list[torch.Tensor], list[tuple[int, ...]]]
"""Outputs, and the shapes of what was drawn at random for them."""


def compare_masked(
    model: nn.Module, space: SearchSpace, dataset: Dataset, kept: Kept, device: torch.device = CPU
) -> str | None:
    """A warning where the pruned network is not the masked one in training mode; None otherwise.

    It may be meant, as noise by the spread of all channels is, so it is not refused. Dropout and
    batch norm are in evaluation mode. Where what is drawn at random has another shape with fewer
    channels, nothing can be compared.

    Args:
        model: unpruned; left as it is.
        kept: units of the candidate.
    """
    task = dataset.task
    if task is not None and task.loss_in_training_mode:
        return None  # what a detector puts out turns on rounding

    def furthest(network: nn.Module, units: Kept) -> float:
        masked = _masked(model, space, units)
        placed = [arranged(each, dataset.layout, device) for each in (masked, network)]
        return _furthest(*(_passes(each, dataset, device) for each in placed))

    try:
        apart = furthest(prune(model, space, kept), kept)
        if apart <= TOLERANCE:
            return None
        layers = layers_at_fault(model, space, kept, lambda *n: furthest(*n) > TOLERANCE)
    except Exception:
        return None  # what fails there is told where it is trained
    return (
        f"{type(model).__name__} does something with channels in training mode alone, by their "
        "number or place: there a pruned network's outputs are not those of the network with the "
        f"same channels masked, but differ by {apart:.1%} of the largest one. Candidates would be "
        "trained by something else than is scored. Let its forward do the same with channels in "
        f"both modes, or leave them whole with {ignoring(layers)}"
    )


def _masked(model: nn.Module, space: SearchSpace, kept: Kept) -> nn.Module:
    state: Mapping[str, torch.Tensor] = model.state_dict()
    for group in space.groups:
        state = masked_state(state, group, kept[group.name])
    return fit(model, state)


def _passes(network: nn.Module, dataset: Dataset, device: torch.device) -> list[Pass]:
    objective = objective_of(dataset)
    images = sent(dataset.normalise(dataset.train.images[:IMAGES]), device)
    targets = follow(take(dataset.train.targets, torch.arange(len(images))), device)
    found = []
    with evaluating(network), training_around_norms(network):
        for seed in SEEDS:
            with isolated_randomness(seed), _Draws() as draws:
                before = GeneratorStates()
                outputs = objective.forward(network, images.clone(), targets)
                drawn = before.drawn_on_cpu() or bool(draws.shapes)
            leaves = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
            floats = [leaf.clone() for leaf in leaves if leaf.is_floating_point()]
            found.append((floats, draws.shapes))
            if not drawn:
                break
    return found


class _Draws(TorchDispatchMode):
    """Notes the shapes of what is drawn at random."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.shapes: list[tuple[int, ...]] = []

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the operator, then look."""
        result = func(*args, **(kwargs or {}))
        if torch.Tag.nondeterministic_seeded in func.tags:  # type: ignore[attr-defined]
            leaves = tree_leaves(result)
            self.shapes += [tuple(x.shape) for x in leaves if isinstance(x, torch.Tensor)]
        return result


def _furthest(masked: list[Pass], sliced: list[Pass]) -> float:
    """The largest difference of comparable passes, as a fraction of the largest output."""
    furthest = 0.0
    for (expected, drawn), (found, drawn_now) in zip(masked, sliced, strict=False):
        if drawn != drawn_now or [e.shape for e in expected] != [f.shape for f in found]:
            continue
        for one, other in zip(expected, found, strict=True):
            scale = float(one.abs().max()) if one.numel() else 0.0
            if scale > 0.0:
                furthest = max(furthest, float((one - other).abs().max()) / scale)
    return furthest
