"""Windows of an image: how swin transformers cut it into them, shifted or not, and join them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F  # noqa: N812

APART = -100.0
"""Added to the attention between positions that only the cyclic shift brought together."""


@dataclass(frozen=True)
class WindowLayout:
    """Windows over one image.

    Args:
        size: (height, width) of the image, in positions.
        window: (height, width) of a window.
        shift: of the image against the windows, upwards and to the left.
    """

    size: tuple[int, int]
    window: tuple[int, int]
    shift: tuple[int, int]

    @classmethod
    def over(
        cls, size: tuple[int, int], window: Sequence[int], shift: Sequence[int]
    ) -> WindowLayout:
        """The layout for an image; where one window covers it, nothing is shifted."""
        moved = [0 if w >= padded(s, w) else d for s, w, d in zip(size, window, shift, strict=True)]
        return cls(size, (window[0], window[1]), (moved[0], moved[1]))

    @property
    def padded_size(self) -> tuple[int, int]:
        """The image's size, rounded up to whole windows."""
        return padded(self.size[0], self.window[0]), padded(self.size[1], self.window[1])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        height, width = self.padded_size
        return height // self.window[0], width // self.window[1]

    @property
    def shifted(self) -> bool:
        """Whether windows hold positions that are no neighbours."""
        return sum(self.shift) > 0

    def split(self, image: torch.Tensor) -> torch.Tensor:
        """[N, H, W, C] -> [N * windows, positions, C]."""
        (height, width), (rows, columns) = self.padded_size, self.grid
        x = F.pad(image, (0, 0, 0, width - self.size[1], 0, height - self.size[0]))
        if self.shifted:
            x = torch.roll(x, shifts=(-self.shift[0], -self.shift[1]), dims=(1, 2))
        channels = image.shape[-1]
        x = x.view(-1, rows, self.window[0], columns, self.window[1], channels)
        positions = self.window[0] * self.window[1]
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, positions, channels)

    def join(self, windows: torch.Tensor) -> torch.Tensor:
        """[N * windows, positions, C] -> [N, H, W, C]."""
        (height, width), channels = self.padded_size, windows.shape[-1]
        x = windows.view(-1, *self.grid, *self.window, channels)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)
        if self.shifted:
            x = torch.roll(x, shifts=self.shift, dims=(1, 2))
        return x[:, : self.size[0], : self.size[1], :].contiguous()

    def mask(self, like: torch.Tensor) -> torch.Tensor:
        """0 where two positions of a window were neighbours, else APART.

        [windows, positions, positions]. What the shift carried around lies in the last rows and
        columns.
        """
        (height, width), (rows, columns) = self.padded_size, self.grid
        low = torch.arange(height, device=like.device) >= height - self.shift[0]
        right = torch.arange(width, device=like.device) >= width - self.shift[1]
        part = 2 * low.to(like.dtype)[:, None] + right.to(like.dtype)[None, :]
        part = part.view(rows, self.window[0], columns, self.window[1]).permute(0, 2, 1, 3)
        part = part.reshape(rows * columns, -1)
        return APART * (part[:, None] != part[:, :, None]).to(like.dtype)


def padded(size: int, window: int) -> int:
    """``size`` rounded up to whole windows."""
    return size + (window - size % window) % window
