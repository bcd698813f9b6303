"""The score of a probe: the base weights with units masked, and nothing trained.

What a group's lost units feed reads zeros from them, which is as if they were sliced away. Batch
norms that are first reached after the first weight changed so use the statistics of the batch, in
place of recalibration; the others keep theirs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.data.targets import take
from autoprune.evaluation.batches import TASK_BATCH, ScoringBatches
from autoprune.evaluation.call_order import CallOrder, read_call_order
from autoprune.evaluation.contract import Metric, Probe
from autoprune.evaluation.metrics import find_metric
from autoprune.evaluation.objective import objective_of
from autoprune.evaluation.placement import CPU, arranged
from autoprune.evaluation.scoring import Scores, score
from autoprune.evaluation.suffix import Recording, record, suffix_only
from autoprune.pruning.criteria import Ranking
from autoprune.pruning.masking import masked_state
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import State

MEMORY_BYTES = 512 * 2**20
"""For what is recorded of the unpruned network, in each process."""

LARGEST_BATCH = 256
"""Batch norms see one batch at a time, so the images are split evenly into batches up to this."""


@dataclass(frozen=True)
class _Prepared:
    """What all probes of the same images share; ``state`` is on the CPU."""

    network: nn.Module
    state: State
    batches: ScoringBatches
    order: CallOrder
    recordings: tuple[Recording, ...]


class Prober:
    """Scores probes of one network; a score does not depend on earlier probes.

    Args:
        model: unpruned, with the base weights; it is left alone.
        ranking: gives what the units of that network are chosen by, when it is first needed.
        memory_bytes: for recorded activations; what does not fit is computed again for each probe.
        device: where the network is scored.
    """

    def __init__(
        self,
        model: nn.Module,
        space: SearchSpace,
        dataset: Dataset,
        ranking: Callable[[], Ranking],
        *,
        metric: Metric,
        memory_bytes: int = MEMORY_BYTES,
        device: torch.device = CPU,
    ) -> None:
        self._model = model
        self._space = space
        self._dataset = dataset
        self._ranking = ranking
        self._metric = metric
        self._memory_bytes = memory_bytes
        self._device = device
        self._prepared: tuple[Probe, _Prepared] | None = None

    def score(self, widths: Mapping[str, int], probe: Probe) -> Scores:
        """Score the network with units masked down to ``widths`` (group name -> units kept)."""
        ready = self._prepare(probe)
        masked = self._masked(ready.state, widths)
        changed = {n: tensor for n, tensor in masked.items() if tensor is not ready.state[n]}
        since = ready.order.first_read(changed)
        network = ready.network
        if find_metric(self._metric, self._dataset.task) is not None:
            network = copy.deepcopy(network)  # the user's code may do anything with it
        with (
            _holding(network, changed, ready.state),
            _batch_statistics(network, ready.order, since),
            suffix_only(network, ready.order, ready.recordings, since),
        ):
            return score(
                network,
                self._dataset,
                self._metric,
                limit=probe.images,
                batch_size=ready.batches.batch_size,
            )

    def forget(self) -> None:
        """Give back the memory of what was recorded; the next probe records it again."""
        self._prepared = None

    def _masked(self, state: State, widths: Mapping[str, int]) -> State:
        kept = self._ranking().choose(widths)
        for group in self._space.groups:
            state = masked_state(state, group, kept[group.name])
        return state

    def _prepare(self, probe: Probe) -> _Prepared:
        if self._prepared is None or self._prepared[0] != probe:
            self.forget()
            with isolated_randomness(0):
                self._prepared = probe, self._record(probe)
        return self._prepared[1]

    def _record(self, probe: Probe) -> _Prepared:
        network = arranged(copy.deepcopy(self._model), self._dataset.layout, self._device).eval()
        state = {name: tensor.cpu().clone() for name, tensor in network.state_dict().items()}
        images = len(self._dataset.val)
        images = min(probe.images, images) if probe.images else images
        objective = objective_of(self._dataset)
        size = even_batch_size(images, None if self._dataset.task is None else TASK_BATCH)
        batches = ScoringBatches(self._dataset, "val", probe.images, size, self._device)
        shown, targets = next(iter(batches))
        shown = shown[:2]
        targets = take(targets, torch.arange(len(shown)))
        share = self._memory_bytes // math.ceil(images / batches.batch_size)
        with _holding(network, {}, state):
            order = read_call_order(network, shown, targets, objective)
            # Of a network that is called otherwise than with the images alone nothing is replayed.
            replayed = batches if objective.plain else ()
            found = [record(network, batch, order, share) for batch, _ in replayed]
        recordings = tuple(recording for recording in found if recording is not None)
        return _Prepared(network, state, batches, order, recordings)


def even_batch_size(images: int, largest: int | None = None) -> int:
    """Size of the fewest batches up to the largest: a small last one has poor statistics."""
    return math.ceil(images / math.ceil(images / (largest or LARGEST_BATCH)))


@contextmanager
def _holding(network: nn.Module, changed: State, base: State) -> Iterator[None]:
    """Inside, ``network`` holds the changed tensors; then those of ``base`` again.

    So it does where its forward passes write to its buffers.
    """
    own = network.state_dict()
    versions = {name: tensor._version for name, tensor in own.items()}
    try:
        for name, tensor in changed.items():
            own[name].copy_(tensor)
        yield
    finally:
        for name, version in versions.items():
            if own[name]._version != version:
                own[name].copy_(base[name])


@contextmanager
def _batch_statistics(network: nn.Module, order: CallOrder, since: int) -> Iterator[None]:
    """Inside, batch norms first reached after ``since`` use the statistics of each batch.

    In eval mode one without running statistics does so, and has none that could move.
    """
    norms = [
        (module, module.running_mean, module.running_var)
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm) and order.reached.get(name, 0) > since
    ]
    for norm, _, _ in norms:
        norm.running_mean = norm.running_var = None
    try:
        yield
    finally:
        for norm, mean, variance in norms:
            norm.running_mean, norm.running_var = mean, variance
