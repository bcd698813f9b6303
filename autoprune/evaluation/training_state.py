"""A training as it stands, to be put back after steps that were taken on trial."""

from __future__ import annotations

import torch
from torch import nn

from autoprune.data.seeding import GeneratorStates


class TrainingState:
    """What steps change: of a network, of its optimiser, and of random generators."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.SGD) -> None:
        momenta = (state["momentum_buffer"] for state in optimizer.state.values())
        held = (*model.parameters(), *model.buffers(), *momenta)
        self._tensors = [(tensor, tensor.detach().clone()) for tensor in held]
        self._buffers = [(m, dict(m._buffers)) for m in model.modules()]
        self._generators = GeneratorStates()

    def repeatable(self) -> bool:
        """Whether what was done since works on the same buffers, without draws on the CPU."""
        same = all(
            module._buffers.keys() == buffers.keys()
            and all(module._buffers[name] is buffer for name, buffer in buffers.items())
            for module, buffers in self._buffers
        )
        return same and not self._generators.drawn_on_cpu()

    def restore(self) -> None:
        """Put it all back, in the memory that it is in."""
        for module, buffers in self._buffers:
            module._buffers.clear()
            module._buffers.update(buffers)
        with torch.no_grad():
            for tensor, was in self._tensors:
                tensor.copy_(was)
        self._generators.put_back()
