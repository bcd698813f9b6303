"""torchvision's attention of Swin transformers, with heads that can be pruned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from autoprune.models.attention.heads import ProjectedAttention
from autoprune.models.attention.window_layout import WindowLayout


class WindowAttention(ProjectedAttention):
    """``torchvision.models.swin_transformer.ShiftedWindowAttention``.

    Args:
        window_size, shift_size: (height, width) in positions.
        attention_dropout, dropout: of the attention and of the output.
    """

    relative_position_bias_table: nn.Parameter
    relative_position_index: torch.Tensor
    window_size: Sequence[int]
    shift_size: Sequence[int]
    attention_dropout: float
    dropout: float

    @classmethod
    def replacing(cls, original: Any) -> Self:
        """In place of ``original``, which is used up."""
        return cls.adopting(original)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images [N, H, W, C] -> [N, H, W, C]."""
        # The exporter that traces hands sizes on as tensors; they are constants here.
        size = (int(x.shape[1]), int(x.shape[2]))
        layout = WindowLayout.over(size, self.window_size, self.shift_size)
        attended = self._attended(self._joint(layout.split(x)), layout)
        output = F.dropout(self.proj(attended), self.dropout, training=self.training)
        return layout.join(output)

    def _attended(self, joint: torch.Tensor, layout: WindowLayout) -> torch.Tensor:
        """[windows, positions, 3 * heads * head_dim] -> [windows, positions, heads * head_dim]."""
        windows, positions, _ = joint.shape
        parts = joint.reshape(windows, positions, 3, self.heads, self.head_dim)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        logits = self._logits(q, k) + self._position_bias()
        if layout.shifted:
            rows, columns = layout.grid
            mask = layout.mask(joint)[None, :, None]
            per_image = logits.view(-1, rows * columns, *logits.shape[1:])
            logits = (per_image + mask).view(logits.shape)
        attention = F.softmax(logits, dim=-1)
        attention = F.dropout(attention, self.attention_dropout, training=self.training)
        attended = (attention @ v).transpose(1, 2)
        return attended.reshape(windows, positions, self.heads * self.head_dim)

    def _joint(self, windows: torch.Tensor) -> torch.Tensor:
        """Queries, keys and values side by side."""
        joint: torch.Tensor = self.qkv(windows)
        return joint

    def _logits(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """[windows, heads, positions, head_dim] each -> [windows, heads, positions, positions]."""
        scale: float = self.head_dim**-0.5
        return (q * scale) @ k.transpose(-2, -1)

    def _position_bias(self) -> torch.Tensor:
        """[1, heads, positions, positions]."""
        return self._by_offset(self.relative_position_bias_table)

    def _by_offset(self, table: torch.Tensor) -> torch.Tensor:
        """[offsets, heads] -> [1, heads, positions, positions]."""
        positions = self.window_size[0] * self.window_size[1]
        bias = table[self.relative_position_index].view(positions, positions, self.heads)
        return bias.permute(2, 0, 1).contiguous().unsqueeze(0)
