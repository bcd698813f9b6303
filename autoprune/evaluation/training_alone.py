"""What a network does in training mode alone: the graph by which channels are tied lacks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from autoprune.evaluation.modes import evaluating
from autoprune.pruning.space import Kept, SearchSpace
from autoprune.pruning.surgery import prune

WITHOUT = (
    "where its forward asks self.training, give the network's class in the model's file "
    "def train(self, mode=True): super().train(mode); self.training = False; return self "
    "(its layers train as ever, see docs/tasks.md#auxiliary-heads)"
)
"""How to do without an auxiliary head."""


def entered_in_training_alone(network: nn.Module, run: Callable[[], object]) -> list[str]:
    """Names of the outermost modules that a pass enters in training mode and no other.

    Args:
        network: in training mode; left so. Statistics of its norms change.
        run: a forward pass of it.
    """
    with _noting(network) as trained, torch.no_grad():
        run()
    with _noting(network) as evaluated, evaluating(network):
        run()
    alone = [name for name in trained if name and name not in evaluated]
    return [name for name in alone if not any(name.startswith(f"{each}.") for each in alone)]


@contextmanager
def _noting(network: nn.Module) -> Iterator[dict[str, None]]:
    """Inside, the modules that are entered are noted, each once and in order."""
    entered: dict[str, None] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda *_: entered.update({name: None})

    handles = [m.register_forward_pre_hook(note(name)) for name, m in network.named_modules()]
    try:
        yield entered
    finally:
        for handle in handles:
            handle.remove()


def layers_at_fault(
    model: nn.Module, space: SearchSpace, kept: Kept, at_fault: Callable[[nn.Module, Kept], bool]
) -> list[str]:
    """A layer of each group that is at fault when it alone is pruned, in the order of the network.

    Args:
        model: unpruned; left as it is.
        kept: units of the candidate that is at fault.
        at_fault: whether the network pruned to these units is.
    """
    whole = {group.name: torch.arange(group.units) for group in space.groups}
    found = []
    for group in space.groups:
        alone = {**whole, group.name: kept[group.name]}
        if len(kept[group.name]) < group.units and at_fault(prune(model, space, alone), alone):
            found.append(group.producers[0])
    return found


def ignoring(layers: list[str]) -> str:
    """The options that leave the channels of these layers whole."""
    return " ".join(f"--ignore {layer}" for layer in layers) or "--ignore LAYER"
