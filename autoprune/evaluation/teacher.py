"""The unpruned network as a teacher."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import nn


class Teacher:
    """Logits of the unpruned network.

    Batches are the same for every candidate, so what was computed for one is kept for the next
    (4 bytes for each image and class).
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model.eval()
        self._known: dict[Hashable, torch.Tensor] = {}

    def logits(self, images: torch.Tensor, key: Hashable | None = None) -> torch.Tensor:
        """Logits [B, K] for ``images``; kept under ``key``, which names the batch, if given."""
        known = self._known.get(key) if key is not None else None
        if known is not None:
            return known
        with torch.no_grad():
            logits: torch.Tensor = self._model(images)
        if key is not None:
            self._known[key] = logits
        return logits
