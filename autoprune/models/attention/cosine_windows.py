"""torchvision's attention of Swin transformers, second version, with heads that can be pruned."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from autoprune.models.attention.windows import WindowAttention


class CosineWindowAttention(WindowAttention):
    """``torchvision.models.swin_transformer.ShiftedWindowAttentionV2``.

    Args:
        logit_scale: logarithm of what each head's cosines are multiplied with, [heads, 1, 1].
        cpb_mlp: from relative coordinates to each head's position bias.
    """

    logit_scale: nn.Parameter
    cpb_mlp: nn.Sequential
    relative_coords_table: torch.Tensor

    def _joint(self, windows: torch.Tensor) -> torch.Tensor:
        bias: torch.Tensor | None = self.qkv.bias
        if bias is not None:
            # Keys have no bias, whatever the parameter holds.
            of_queries, of_keys, of_values = bias.chunk(3)
            bias = torch.cat([of_queries, torch.zeros_like(of_keys), of_values])
        return F.linear(windows, self.qkv.weight, bias)

    def _logits(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        cosines = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return cosines * torch.clamp(self.logit_scale, max=math.log(100.0)).exp()

    def _position_bias(self) -> torch.Tensor:
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)
        return 16 * torch.sigmoid(self._by_offset(table))
