"""Check every group numerically before a search relies on it.

A group is sound when removing units equals masking them: the sliced network computes what the
unsliced one does once its consumers read zeros from these units. Shapes alone do not show it: on a
padded shortcut some wrong index sets run and give wrong logits.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from autoprune.pruning.masking import masked_state
from autoprune.pruning.space import Kept, LeftOut, PruningGroup, SearchSpace
from autoprune.pruning.surgery import fit, prune
from autoprune.pruning.written_sizes import written_size

TOLERANCE = 1e-4
"""Largest difference allowed, as a fraction of the largest output."""
ROUNDS = 3
_NO_GRADIENT = (
    "no gradient reaches the network's output, so it cannot be checked; the forward must return "
    "scores, not what argmax or a comparison makes of them"
)


def preflight(
    model: nn.Module, example_input: torch.Tensor, space: SearchSpace, *, seed: int = 0
) -> SearchSpace:
    """``space`` without the groups that fail, each listed with its reason.

    All groups are tried at once, at random units of random legal widths; where the networks differ,
    halves are tried, until those are found that differ by themselves.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = example_input
    if inputs.is_floating_point():
        images = max(2, len(inputs))
        inputs = torch.randn(images, *inputs.shape[1:], generator=generator, dtype=inputs.dtype)
    with torch.no_grad():
        probe = _probe(model, inputs, generator)
        faults = _without_effect(probe, inputs, space)
        for _ in range(ROUNDS):
            kept = _index_sets(space.groups, generator)
            tried = [group for group in space.groups if group.name not in faults]
            faults |= _faulty(probe, inputs, tried, kept)
    sound = tuple(group for group in space.groups if group.name not in faults)
    failed = [group for group in space.groups if group.name in faults]
    left_out = [LeftOut.of(group.producers, faults[group.name]) for group in failed]
    return SearchSpace(sound, (*space.left_out, *left_out))


def _faulty(
    probe: nn.Module, inputs: torch.Tensor, groups: Sequence[PruningGroup], kept: Kept
) -> dict[str, str]:
    """Names of the groups that cannot be pruned, with the reasons."""
    reason = _fault(probe, inputs, groups, kept) if groups else None
    if reason is None:
        return {}
    if len(groups) == 1:
        return {groups[0].name: _written(probe, inputs, groups[0], kept) or reason}
    middle = len(groups) // 2
    halves = groups[:middle], groups[middle:]
    found = {
        name: why for half in halves for name, why in _faulty(probe, inputs, half, kept).items()
    }
    if found:
        return found | _faulty(probe, inputs, [g for g in groups if g.name not in found], kept)
    # Each half is sound by itself: one of them has to go.
    return {group.name: f"pruned together with others: {reason}" for group in halves[1]}


def _fault(
    probe: nn.Module, inputs: torch.Tensor, groups: Sequence[PruningGroup], kept: Kept
) -> str | None:
    """How the sliced network differs from the masked one, or None."""
    space = SearchSpace(tuple(groups))
    masked_weights = probe.state_dict()
    for group in groups:
        masked_weights = masked_state(masked_weights, group, kept[group.name])
    gone = sum(group.units - len(kept[group.name]) for group in groups)
    try:
        masked = _outputs(fit(probe, masked_weights, share=True), inputs)
        sliced = _outputs(prune(probe, space, kept), inputs)
    except Exception as error:
        return f"the network without {gone} of its units stops: {error}"
    if sliced.shape != masked.shape:
        return "removing its units changes the shape of the network's output"
    scale = float(masked.abs().max())
    difference = float((sliced - masked).abs().max())
    if difference <= TOLERANCE * scale:
        return None
    left, units = (sum(len(kept[g.name]) for g in groups), sum(g.units for g in groups))
    return (
        f"with {left} of {units} units the sliced network differs from the "
        f"masked one by {difference:.2g} (outputs up to {scale:.2g})"
    )


def _written(probe: nn.Module, inputs: torch.Tensor, group: PruningGroup, kept: Kept) -> str | None:
    """Of a group that fails: the size in the network's forward that stands in its way."""
    try:
        narrow = prune(probe, SearchSpace((group,)), kept)
    except Exception:
        return None
    return written_size(probe, narrow, inputs)


def _without_effect(probe: nn.Module, inputs: torch.Tensor, space: SearchSpace) -> dict[str, str]:
    """Groups of which a mistake would not show: no gradient reaches what reads their units."""
    names = {
        place.tensor for group in space.groups for place in group.slices if place.role == "input"
    }
    parameters = {name: p for name, p in probe.named_parameters() if name in names}
    if not parameters:
        return {}
    with torch.enable_grad():
        for parameter in parameters.values():
            parameter.requires_grad_(True)
        total = _outputs(probe, inputs).square().sum()
        if not total.requires_grad:
            return {group.name: _NO_GRADIENT for group in space.groups}
        total.backward()  # type: ignore[no-untyped-call]
    reached = {name for name, p in parameters.items() if p.grad is not None and bool(p.grad.any())}
    for parameter in parameters.values():
        parameter.requires_grad_(False)
        parameter.grad = None
    reason = "removing its units leaves the output unchanged, so it cannot be checked"
    return {
        group.name: reason
        for group in space.groups
        if len(group.choices) > 1
        and not any(
            place.role == "values" or (place.role == "input" and place.tensor in reached)
            for place in group.slices
        )
    }


def _index_sets(groups: Sequence[PruningGroup], generator: torch.Generator) -> Kept:
    """Random units at a random legal width of each group, full ones aside."""
    kept = {}
    for group in groups:
        narrower = group.choices[:-1] or group.choices
        width = narrower[int(torch.randint(len(narrower), (), generator=generator))]
        kept[group.name] = torch.randperm(group.units, generator=generator)[:width].sort().values
    return kept


def _outputs(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """All outputs of the network in one row."""
    found: list[torch.Tensor] = []
    _collect(model(inputs), found)
    return torch.cat([output.reshape(-1).float() for output in found])


def _collect(outputs: object, found: list[torch.Tensor]) -> None:
    if isinstance(outputs, torch.Tensor):
        found.append(outputs)
    elif isinstance(outputs, dict):
        _collect(list(outputs.values()), found)
    elif isinstance(outputs, list | tuple):
        for output in outputs:
            _collect(output, found)


def _probe(model: nn.Module, inputs: torch.Tensor, generator: torch.Generator) -> nn.Module:
    """A copy whose signals neither die nor explode, with no trivial norm: errors show."""
    probe = copy.deepcopy(model).eval().requires_grad_(False)
    for parameter in probe.parameters():
        if not bool(parameter.any()):
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    norms = [m for m in probe.modules() if isinstance(m, nn.modules.batchnorm._NormBase)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        _shake(norm, generator)
        norm.train().momentum = 1.0
    probe(inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
    return probe


def _shake(norm: nn.modules.batchnorm._NormBase, generator: torch.Generator) -> None:
    if norm.affine:
        norm.weight.copy_(0.5 + torch.rand(norm.weight.shape, generator=generator))
        norm.bias.copy_(0.3 * torch.randn(norm.bias.shape, generator=generator))
