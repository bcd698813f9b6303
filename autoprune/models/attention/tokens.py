"""timm's attention of vision transformers, with heads that can be pruned."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from autoprune.models.attention.heads import ProjectedAttention


class TokenAttention(ProjectedAttention):
    """``timm.layers.Attention``, in ViT, DeiT, MobileViT and others that build on its blocks.

    Always fused where timm's is fused or not, with the same results.

    Args:
        q_norm, k_norm: over the features of each head; they do nothing in most networks.
        attn_drop, proj_drop: of the attention and of the output.
    """

    q_norm: nn.Module
    k_norm: nn.Module
    attn_drop: nn.Dropout
    proj_drop: nn.Module

    @classmethod
    def replacing(cls, original: Any) -> Self | None:
        """In place of ``original``, which is used up; None where it is more than attention.

        A norm over all heads together would take other statistics with fewer of them. A gate has
        rows of its own for each head. Releases of timm differ in which of these they know.
        """
        norm, gate = getattr(original, "norm", None), getattr(original, "gate", None)
        if gate is not None or not isinstance(norm, nn.Identity | None):
            return None
        return cls.adopting(original)

    def forward(
        self, x: torch.Tensor, attn_mask: torch.Tensor | None = None, is_causal: bool = False
    ) -> torch.Tensor:
        """[N, L, D] -> [N, L, D]; the mask is one for all heads, or True where to attend."""
        count, length, _ = x.shape
        parts = self.qkv(x).reshape(count, length, 3, self.heads, self.head_dim)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        dropout = self.attn_drop.p if self.training else 0.0
        attended = F.scaled_dot_product_attention(
            self.q_norm(q), self.k_norm(k), v, attn_mask, dropout, is_causal
        )
        merged = attended.transpose(1, 2).reshape(count, length, self.heads * self.head_dim)
        output: torch.Tensor = self.proj_drop(self.proj(merged))
        return output
