"""Batches that stay on a GPU: making them again takes the CPU longer than the GPU needs to train.

On the CPU a step takes far longer than its batch, and there nothing is held.
"""

from __future__ import annotations

from collections.abc import Iterable

from autoprune.data.targets import size_in_bytes
from autoprune.evaluation.batches import Batch, TrainingBatches
from autoprune.evaluation.placement import CPU

MOST_BYTES = 512 * 2**20
"""Of a stream; what is larger is made again for each candidate."""


class HeldBatches:
    """The first batches of each stream of one dataset and seed, as many as were asked for."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], list[Batch]] = {}

    def first(self, batches: TrainingBatches, count: int) -> Iterable[Batch]:
        """The first ``count``, which nobody may change."""
        if batches.device == CPU or count == 0:
            return batches.first(count)
        key = batches.stream, batches.batch_size
        held = self._held.get(key, [])
        if len(held) < count:
            one = next(iter(batches.first(1)))
            if size_in_bytes(one) * count > MOST_BYTES:
                return batches.first(count)
            held = self._held[key] = list(batches.first(count))
        return held[:count]
