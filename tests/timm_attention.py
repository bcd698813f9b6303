"""A small transformer on timm's attention, which is written out here: timm may not be installed."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    """The tensors, settings and results of ``timm.layers.Attention``, under its full name."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        head_dim: int,
        *,
        qk_norm: bool = False,
        scale_norm: bool = False,
        gated: bool = False,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.attn_dim = num_heads * head_dim
        self.scale = head_dim**-0.5
        self.fused_attn = True
        self.qkv = nn.Linear(dim, self.attn_dim * 3)
        self.q_norm = nn.LayerNorm(head_dim) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(head_dim) if qk_norm else nn.Identity()
        self.attn_drop = nn.Dropout(0.1)
        self.norm = nn.LayerNorm(self.attn_dim) if scale_norm else nn.Identity()
        self.gate = nn.Linear(dim, self.attn_dim) if gated else None
        self.proj = nn.Linear(self.attn_dim, dim)
        self.proj_drop = nn.Dropout(0.1)

    def forward(
        self, x: torch.Tensor, attn_mask: torch.Tensor | None = None, is_causal: bool = False
    ) -> torch.Tensor:
        images, tokens, _ = x.shape
        joint = self.qkv(x).reshape(images, tokens, 3, self.num_heads, self.head_dim)
        q, k, v = joint.permute(2, 0, 3, 1, 4).unbind(0)
        dropout = self.attn_drop.p if self.training else 0.0
        attended = functional.scaled_dot_product_attention(
            self.q_norm(q), self.k_norm(k), v, attn_mask, dropout, is_causal
        )
        merged = self.norm(attended.transpose(1, 2).reshape(images, tokens, self.attn_dim))
        if self.gate is not None:
            merged = merged * self.gate(x).sigmoid()
        return self.proj_drop(self.proj(merged))


Attention.__module__, Attention.__qualname__ = "timm.layers.attention", "Attention"


class Block(nn.Module):
    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(32), nn.LayerNorm(32)
        self.attn = attention
        self.mlp = nn.Sequential(nn.Linear(32, 48), nn.GELU(), nn.Linear(48, 32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TimmVit(nn.Module):
    """Patches of 4 by 4 pixels; heads that are as wide together as the tokens, and wider."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 4, 4)
        self.blocks = nn.Sequential(
            Block(Attention(32, 4, 8)), Block(Attention(32, 3, 16, qk_norm=True))
        )
        self.head = nn.Linear(32, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.patches(x).flatten(2).transpose(1, 2)).mean(1))
