"""torchvision's attention of MaxViT, with heads that can be pruned."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from autoprune.models.attention.heads import HeadedAttention


class PartitionAttention(HeadedAttention):
    """``torchvision.models.maxvit.RelativePositionalMultiHeadAttention``.

    Args:
        scale_factor: of queries; that of the unpruned module, one over the root of its width.
        max_seq_len: positions of one partition, P.
    """

    to_qkv: nn.Linear
    merge: nn.Linear
    relative_position_bias_table: nn.Parameter
    relative_position_index: torch.Tensor
    scale_factor: float
    max_seq_len: int

    @classmethod
    def replacing(cls, original: Any) -> Self:
        """In place of ``original``, which is used up."""
        attention = cls.adopting(original)
        attention.heads = vars(attention).pop("n_heads")
        return attention

    def joint_weight(self) -> torch.Tensor:
        """[3 * heads * head_dim, width]."""
        return self.to_qkv.weight

    def output_projection(self) -> nn.Linear:
        """Its weight is [width, heads * head_dim]."""
        return self.merge

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Partitions [B, G, P, D] -> [B, G, P, D]."""
        images, partitions, positions, _ = x.shape
        shape = (images, partitions, positions, 3, self.heads, self.head_dim)
        q, k, v = self.to_qkv(x).reshape(shape).permute(3, 0, 1, 4, 2, 5).unbind(0)
        logits = (q * self.scale_factor) @ k.transpose(-2, -1) + self._position_bias()
        attended = F.softmax(logits, dim=-1) @ v
        merged = attended.transpose(2, 3).reshape(*shape[:3], self.heads * self.head_dim)
        output: torch.Tensor = self.merge(merged)
        return output

    def _position_bias(self) -> torch.Tensor:
        """[1, heads, P, P]."""
        bias = self.relative_position_bias_table[self.relative_position_index.reshape(-1)]
        bias = bias.reshape(self.max_seq_len, self.max_seq_len, self.heads)
        return bias.permute(2, 0, 1).contiguous().unsqueeze(0)
