"""``torch.nn.MultiheadAttention`` with heads that can be pruned."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from autoprune.errors import ModelError
from autoprune.models.attention.heads import HeadedAttention


class SelfAttention(HeadedAttention):
    """Called as ``torch.nn.MultiheadAttention`` is, with the same results.

    Keys and values may come from elsewhere, as long as they are as wide as queries.
    """

    in_proj_weight: nn.Parameter
    in_proj_bias: nn.Parameter | None
    out_proj: nn.Linear
    dropout: float
    batch_first: bool
    _qkv_same_embed_dim: bool

    @classmethod
    def replacing(cls, original: nn.MultiheadAttention) -> Self | None:
        """In place of ``original``, which is used up; None where it is more than attention."""
        if not original._qkv_same_embed_dim or original.add_zero_attn:
            return None
        if original.bias_k is not None or original.bias_v is not None:
            return None
        attention = cls.adopting(original)
        attention.heads = vars(attention).pop("num_heads")
        # Torch's encoder layers look here for whether their fused kernel knows this attention.
        attention._qkv_same_embed_dim = False
        # Torch's own class of linear layer differs in name alone, by which layers are told.
        plain = nn.Linear.__new__(nn.Linear)
        plain.__dict__.update(vars(attention.out_proj))
        attention.out_proj = plain
        return attention

    def joint_weight(self) -> torch.Tensor:
        """[3 * heads * head_dim, embed_dim]."""
        return self.in_proj_weight

    def output_projection(self) -> nn.Linear:
        """Its weight is [embed_dim, heads * head_dim]."""
        return self.out_proj

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As torch's: [N, L, E] where ``batch_first``, [L, N, E] where not, or [L, E].

        Returns:
            The output, shaped like ``query``, and where asked for the attention: [N, L, S], or
            [N, heads, L, S] where it is not averaged.
        """
        q, k, v = self._projected(query, key, value)
        weights = None
        if need_weights:
            weights = self._weights(q, k, self._mask(attn_mask, key_padding_mask, q))
            attended = weights @ v
            weights = weights.mean(dim=1) if average_attn_weights else weights
        else:
            hinted = is_causal and key_padding_mask is None
            mask = None if hinted else self._mask(attn_mask, key_padding_mask, q)
            dropout = self.dropout if self.training else 0.0
            attended = F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal=hinted)
        output = self._merged(attended)
        if query.dim() == 2:
            return output.squeeze(0), None if weights is None else weights.squeeze(0)
        return output if self.batch_first else output.transpose(0, 1), weights

    def _weights(self, q: torch.Tensor, k: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """How much each position attends to each, [N, heads, L, S]."""
        logits = (q * math.sqrt(1.0 / self.head_dim)) @ k.transpose(-2, -1)
        weights = F.softmax(logits if mask is None else logits + mask, dim=-1)
        return F.dropout(weights, self.dropout, training=self.training)

    def _merged(self, attended: torch.Tensor) -> torch.Tensor:
        """[N, heads, L, head_dim] -> [N, L, E]."""
        count, _, length, _ = attended.shape
        merged = attended.transpose(1, 2).reshape(count, length, self.heads * self.head_dim)
        output: torch.Tensor = self.out_proj(merged)
        return output

    def _projected(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Queries, keys and values of every head, [N, heads, L, head_dim] each."""
        if query is key and key is value:
            joint = F.linear(self._batched(query), self.in_proj_weight, self.in_proj_bias)
            count, length, _ = joint.shape
            parts = joint.reshape(count, length, 3, self.heads, self.head_dim)
            return parts.permute(2, 0, 3, 1, 4).unbind(0)
        weights = self.in_proj_weight.chunk(3)
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        parts_of = zip((query, key, value), weights, biases, strict=True)
        return tuple(self._split(F.linear(self._batched(x), w, b)) for x, w, b in parts_of)

    def _batched(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() == 2:
            return x.unsqueeze(0)
        return x if self.batch_first else x.transpose(0, 1)

    def _split(self, features: torch.Tensor) -> torch.Tensor:
        count, length, _ = features.shape
        return features.reshape(count, length, self.heads, self.head_dim).transpose(1, 2)

    def _mask(
        self, attn_mask: torch.Tensor | None, padding: torch.Tensor | None, q: torch.Tensor
    ) -> torch.Tensor | None:
        """What is added to the attention before the softmax; [N or 1, heads or 1, L or 1, S]."""
        mask = None
        if attn_mask is not None:
            mask = _additive(attn_mask, q)
            mask = self._of_heads(mask, len(q)) if mask.dim() == 3 else mask[None, None]
        if padding is not None:
            padding = padding[None] if padding.dim() == 1 else padding
            ignored = _additive(padding, q)[:, None, None]
            mask = ignored if mask is None else mask + ignored
        return mask

    def _of_heads(self, mask: torch.Tensor, count: int) -> torch.Tensor:
        if len(mask) != count * self.heads:
            raise ModelError(
                f"an attention mask for each head has the shape {tuple(mask.shape)}, where "
                f"{count * self.heads} were expected first: pruned heads need none. Give one mask "
                "for all heads, or leave this attention alone by pattern"
            )
        return mask.view(count, self.heads, *mask.shape[1:])


def _additive(mask: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A mask of what not to attend to, as a term of the attention."""
    if mask.dtype is not torch.bool:
        return mask.to(like.dtype)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -math.inf)
