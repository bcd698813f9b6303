"""Put attention with prunable heads in place of torch's, torchvision's and timm's own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import nn

from autoprune.models.attention.cosine_windows import CosineWindowAttention
from autoprune.models.attention.heads import HeadedAttention
from autoprune.models.attention.partitions import PartitionAttention
from autoprune.models.attention.self_attention import SelfAttention
from autoprune.models.attention.tokens import TokenAttention
from autoprune.models.attention.windows import WindowAttention

_REPLACEMENTS: dict[str, Callable[[Any], HeadedAttention | None]] = {
    "torch.nn.modules.activation.MultiheadAttention": SelfAttention.replacing,
    "torchvision.models.swin_transformer.ShiftedWindowAttention": WindowAttention.replacing,
    "torchvision.models.swin_transformer.ShiftedWindowAttentionV2": CosineWindowAttention.replacing,
    "torchvision.models.maxvit.RelativePositionalMultiHeadAttention": PartitionAttention.replacing,
    "timm.layers.attention.Attention": TokenAttention.replacing,
    # Older releases of timm.
    "timm.models.vision_transformer.Attention": TokenAttention.replacing,
}
"""By the full name of a class: only models that use torchvision or timm import them."""


def prunable_attention(model: nn.Module) -> nn.Module:
    """A copy of ``model`` whose attention modules can lose heads; it computes the same.

    Names of tensors and modules, hooks and training flags stay. Subclasses, which may compute
    something else, are left as they are, and a model without any such module is returned itself.
    """
    # deepcopy takes what its memo holds instead of copying: the copy refers to replacements.
    memo: dict[int, Any] = {}
    found = False
    for module in model.modules():
        replacing = _REPLACEMENTS.get(f"{type(module).__module__}.{type(module).__qualname__}")
        # A forward of the module's own would win over the replacement's.
        if replacing is None or "forward" in vars(module):
            continue
        replacement = replacing(copy.deepcopy(module, memo))
        if replacement is not None:
            memo[id(module)] = replacement
            found = True
    return copy.deepcopy(model, memo) if found else model
