"""A pruned network from its checkpoint."""

from __future__ import annotations

from torch import nn

from autoprune.evaluation.checkpoint import unpack
from autoprune.pruning.space import Kept
from autoprune.pruning.surgery import fit


def rebuild(model: nn.Module, checkpoint: bytes) -> tuple[nn.Module, Kept | None]:
    """(network, kept): a copy of ``model`` with the checkpoint's weights, and their widths.

    Args:
        model: unpruned; it stays as it is.
        checkpoint: from :func:`~autoprune.evaluation.checkpoint.pack`.

    Raises:
        WeightsError: not a checkpoint, or of another model; names the tensors.
    """
    state, kept, _ = unpack(checkpoint)
    return fit(model, state), kept
