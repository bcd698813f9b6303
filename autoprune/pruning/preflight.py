"""Check every group numerically before a search relies on it.

A group is sound when removing units equals masking them: the sliced network computes what the
unsliced one does once its consumers read zeros from these units. Shapes alone do not show it: on a
padded shortcut some wrong index sets run and give wrong logits.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from autoprune.pruning.masking import masked_state
from autoprune.pruning.space import LeftOut, PruningGroup, SearchSpace
from autoprune.pruning.surgery import fit, prune

TOLERANCE = 1e-4
"""Largest difference allowed, as a fraction of the largest output."""


def preflight(
    model: nn.Module, example_input: torch.Tensor, space: SearchSpace, *, seed: int = 0
) -> SearchSpace:
    """``space`` without the groups that fail, each listed with its reason."""
    generator = torch.Generator().manual_seed(seed)
    inputs = example_input
    if inputs.is_floating_point():
        images = max(2, len(inputs))
        inputs = torch.randn(images, *inputs.shape[1:], generator=generator, dtype=inputs.dtype)
    with torch.no_grad():
        probe = _probe(model, inputs, generator)
        full = _outputs(probe, inputs)
        sound, left_out = [], list(space.left_out)
        for group in space.groups:
            reason = _fault(probe, inputs, full, group, generator)
            if reason is None:
                sound.append(group)
            else:
                left_out.append(LeftOut.of(group.producers, reason))
    return SearchSpace(tuple(sound), tuple(left_out))


def _fault(
    probe: nn.Module,
    inputs: torch.Tensor,
    full: torch.Tensor,
    group: PruningGroup,
    generator: torch.Generator,
) -> str | None:
    """Why the group cannot be pruned, or None."""
    alone = SearchSpace((group,))
    effect, worst = 0.0, TOLERANCE / 100
    for kept in _index_sets(group, generator):
        try:
            masked = _outputs(fit(probe, masked_state(probe.state_dict(), group, kept)), inputs)
            sliced = _outputs(prune(probe, alone, {group.name: kept}), inputs)
        except Exception as error:
            return f"the network without {group.units - len(kept)} of its units stops: {error}"
        if sliced.shape != masked.shape:
            return "removing its units changes the shape of the network's output"
        scale = float(masked.abs().max())
        difference = float((sliced - masked).abs().max())
        if not difference <= TOLERANCE * scale:
            return (
                f"with {len(kept)} of {group.units} units the sliced network differs from the "
                f"masked one by {difference:.2g} (outputs up to {scale:.2g})"
            )
        worst = max(worst, difference / scale if scale else 0.0)
        effect = max(effect, float((masked - full).abs().max()) / scale if scale else 0.0)
    if len(group.choices) > 1 and effect <= 10 * worst:
        return "removing its units leaves the output unchanged, so it cannot be checked"
    return None


def _index_sets(group: PruningGroup, generator: torch.Generator) -> list[torch.Tensor]:
    """Random units at the smallest legal width and at one in the middle of the range."""
    widths = {group.choices[0], group.choices[len(group.choices) // 2]}
    return [
        torch.randperm(group.units, generator=generator)[:width].sort().values
        for width in sorted(widths)
    ]


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
    """A copy whose signals neither die nor explode, with no trivial batch norm: errors show."""
    probe = copy.deepcopy(model).eval().requires_grad_(False)
    for parameter in probe.parameters():
        if not bool(parameter.any()):
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    norms = [m for m in probe.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        _shake(norm, generator)
        norm.train().momentum = 1.0
    probe(inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
    return probe


def _shake(norm: nn.modules.batchnorm._BatchNorm, generator: torch.Generator) -> None:
    if norm.affine:
        norm.weight.copy_(0.5 + torch.rand(norm.weight.shape, generator=generator))
        norm.bias.copy_(0.3 * torch.randn(norm.bias.shape, generator=generator))
