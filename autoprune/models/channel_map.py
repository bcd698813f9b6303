"""The parameter-free residual shortcut, as a module that can be pruned."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class ChannelMap(nn.Module):
    """Subsample by ``stride``, then gather channels; -1 in the map stands for a channel of zeros.

    Option A of He et al. 2016, section 3.3, keeps every second pixel and pads the new channels
    with zeros. Written as a map from output to input channels, pruning either side only rewrites
    the map, so input and output need not lose the same channels.

    Args:
        channel_map: [out_channels] int64, the input channel of each output channel, or -1.
        stride: in pixels, both ways.
    """

    channel_map: torch.Tensor

    def __init__(self, channel_map: torch.Tensor, stride: int = 1) -> None:
        super().__init__()
        self.register_buffer("channel_map", channel_map.to(torch.int64))
        self.stride = stride

    @classmethod
    def padded(cls, in_channels: int, out_channels: int, stride: int) -> ChannelMap:
        """Input channels in the middle, the new ones split over both sides as zeros."""
        front = (out_channels - in_channels) // 2
        channel_map = torch.full((out_channels,), -1, dtype=torch.int64)
        channel_map[front : front + in_channels] = torch.arange(in_channels)
        return cls(channel_map, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Input [N, in, H, W] -> [N, out_channels, ceil(H / stride), ceil(W / stride)]."""
        x = x[:, :, :: self.stride, :: self.stride]
        # The zero channel goes in front: its index is then the map's -1, plus one.
        x = nn.functional.pad(x, (0, 0, 0, 0, 1, 0))
        return torch.index_select(x, 1, self.channel_map + 1)

    def extra_repr(self) -> str:
        """Shown inside the module's repr."""
        return f"out_channels={len(self.channel_map)}, stride={self.stride}"

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # Published weights of the unpruned networks know no map: theirs is the one built in.
        state_dict.setdefault(f"{prefix}channel_map", self.channel_map)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
