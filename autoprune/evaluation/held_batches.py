"""Batches that stay on a GPU: making them again takes the CPU longer than the GPU needs to train.

On the CPU a step takes far longer than its batch, and there nothing is held.
"""

from __future__ import annotations

from collections.abc import Iterable

from autoprune.evaluation.batches import Batch, TrainingBatches
from autoprune.evaluation.placement import CPU

FLOAT_BYTES = 4
MOST_BYTES = 512 * 2**20
"""Of a stream's images; what is larger is made again for each candidate."""


class HeldBatches:
    """The first batches of each stream of one dataset and seed, as many as were asked for."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], list[Batch]] = {}

    def first(self, batches: TrainingBatches, count: int) -> Iterable[Batch]:
        """The first ``count``, which nobody may change."""
        dataset, size = batches.dataset, batches.batch_size
        total = FLOAT_BYTES * dataset.train.images[0].numel() * size * count
        # A task's functions may change their targets, which are theirs.
        if batches.device == CPU or dataset.task is not None or total > MOST_BYTES:
            return batches.first(count)
        key = batches.stream, size
        if len(self._held.get(key, [])) < count:
            self._held[key] = list(batches.first(count))
        return self._held.get(key, [])[:count]
