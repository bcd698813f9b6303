"""The unpruned network as a teacher."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import nn

from autoprune.evaluation.objective import CLASSES, Objective


class Teacher:
    """Outputs of the unpruned network.

    Batches are the same for every candidate, so what was computed for one is kept for the next
    (4 bytes for each image and class; of a task, all that its network puts out).
    """

    def __init__(self, model: nn.Module, objective: Objective = CLASSES) -> None:
        self._model = model.eval()
        self._objective = objective
        self._known: dict[Hashable, Any] = {}

    def outputs(
        self, images: torch.Tensor, targets: Any = None, key: Hashable | None = None
    ) -> Any:
        """Those for ``images``; kept under ``key``, which names the batch, if given."""
        if key is not None and key in self._known:
            return self._known[key]
        with torch.no_grad():
            outputs = self._objective.judge(self._model, images, targets)
        if key is not None:
            self._known[key] = outputs
        return outputs
