"""Channel counts that no tensor of a module tells: its first input does."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def follow_input(norm: nn.modules.instancenorm._InstanceNorm) -> None:
    """Let an instance norm without tensors take its number of channels from its first input.

    It makes no use of that number but to compare it, and warns where it is another one. The hook
    is gone after one pass, also from copies, so that a network that ran is as torch built it.
    """
    if _count not in norm._forward_pre_hooks.values():
        norm.register_forward_pre_hook(_count)


def _count(norm: nn.modules.instancenorm._InstanceNorm, inputs: tuple[Any, ...]) -> None:
    """A hook; threads that come here at once set the same number."""
    images = inputs[0] if inputs else None
    if isinstance(images, torch.Tensor):
        dim = images.ndim - norm._get_no_batch_dim()  # type: ignore[no-untyped-call]
        norm.num_features = images.shape[dim]
    for number, hook in tuple(norm._forward_pre_hooks.items()):
        if hook is _count:
            norm._forward_pre_hooks.pop(number, None)
            norm._forward_pre_hooks_with_kwargs.pop(number, None)
