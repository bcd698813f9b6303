"""Rankings of a network's units, with gradients for the criteria that need them."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import torch
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.errors import ModelError
from autoprune.evaluation.batches import Batch, TrainingBatches, derive_seed
from autoprune.evaluation.objective import CLASSES, Objective, objective_of
from autoprune.evaluation.placement import CPU, arranged
from autoprune.pruning.criteria import Ranking, State, needs_gradients
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import fit

BATCHES = 8
BATCH_SIZE = 64
"""Of no fidelity: all scores from the same weights keep the same units, probes among them.

Other numbers are another ``EVALUATION_VERSION`` and ``PROBE_VERSION``.
"""


class Rankings:
    """Rankings of one network: with its base weights, and with those of one parent at most.

    Each is made when it is first asked for, and depends on nothing asked before.

    Args:
        base: unpruned, with the base weights; it is left alone.
        criterion: name of a criterion.
        seed: of the job; keys the batches whose gradients are measured.
        device: where they are measured.
    """

    def __init__(
        self,
        base: nn.Module,
        space: SearchSpace,
        dataset: Dataset,
        criterion: str,
        seed: int,
        device: torch.device = CPU,
    ) -> None:
        self._network = base
        self._space = space
        self._dataset = dataset
        self._criterion = criterion
        self._seed = seed
        self._device = device
        self._base: Ranking | None = None
        self._parent: tuple[bytes, Ranking] | None = None

    def base(self) -> Ranking:
        """With the base weights."""
        if self._base is None:
            state = {name: value.detach() for name, value in self._network.state_dict().items()}
            self._base = self._make(state)
        return self._base

    def parent(self, start: bytes, state: State) -> Ranking:
        """With the weights of a parent.

        Args:
            start: its checkpoint, which names it.
            state: its weights at the unpruned shapes.
        """
        if self._parent is None or self._parent[0] != start:
            self._parent = start, self._make(state)
        return self._parent[1]

    def _make(self, state: State) -> Ranking:
        gradients = self._gradients(state) if needs_gradients(self._criterion) else None
        return Ranking(self._criterion, state, self._space, gradients)

    def _gradients(self, state: State) -> State:
        batches = TrainingBatches(
            self._dataset, BATCH_SIZE, self._seed, "gradients", device=self._device
        )
        with isolated_randomness(derive_seed(self._seed, "gradients")):
            network = arranged(
                fit(self._network, state, share=True), self._dataset.layout, self._device
            )
            return measure_gradients(network, batches.first(BATCHES), objective_of(self._dataset))


def measure_gradients(
    model: nn.Module, batches: Iterable[Batch], objective: Objective = CLASSES
) -> dict[str, torch.Tensor]:
    """Gradients of the mean loss over ``batches``; parameter -> tensor of its shape, on the CPU.

    Batch norms keep their statistics: with those of the batch, the loss does not see the size of
    the filters before them, and gradient x weight sums to zero over each.

    Args:
        model: left alone; a copy of it is run in eval mode, in the layout that it has.
        batches: of equal size.
        objective: whose loss it is.

    Raises:
        ModelError: the loss is NaN or infinite.
    """
    network = copy.deepcopy(model).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.is_floating_point())  # frozen ones are pruned as well
    count, total = 0, 0.0
    with torch.enable_grad():
        for images, targets in batches:
            loss = objective.loss(objective.judge(network, images, targets), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            count, total = count + 1, total + float(loss.detach())
    if not math.isfinite(total):
        raise ModelError(
            f"the training loss of the network is {total / count}, so that there are no gradients "
            "to rank its units by: check its weights, or use a criterion without, as 'l2'"
        )
    return {
        name: (
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad / count
        ).cpu()
        for name, parameter in network.named_parameters(remove_duplicate=False)
    }
