"""Image files to uint8 tensors, in parallel threads (Pillow releases the interpreter's lock)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from autoprune.errors import DataError

Size = tuple[int, int]
"""(height, width) in pixels."""

Read = TypeVar("Read")

LARGEST_DEFAULT = 224
CHUNK = 64


def read_sizes(files: Sequence[Path]) -> list[Size]:
    """Size of every image, from its header."""
    sizes: list[Size] = [(0, 0)] * len(files)

    def read(position: int) -> None:
        sizes[position] = _open(files[position], lambda image: (image.height, image.width))

    _for_each(len(files), read)
    return sizes


def common_size(sizes: Sequence[Size], image_size: int | None) -> Size:
    """The size all images get.

    The one asked for (square); or, where all images share one size, that; or the commonest
    shorter side (square), at most 224 pixels.
    """
    if image_size is not None:
        return image_size, image_size
    if len(set(sizes)) == 1:
        return sizes[0]
    counts = Counter(min(size) for size in sizes)
    commonest = max(counts, key=lambda side: (counts[side], -side))
    side = min(commonest, LARGEST_DEFAULT)
    return side, side


def decode(files: Sequence[Path], size: Size) -> torch.Tensor:
    """RGB pixels [N, 3, H, W], uint8.

    An image of another size is resized (bilinear, antialiased) until it just covers ``size``, and
    its centre is cut out. Raises DataError naming the file that cannot be decoded.
    """
    images = np.empty((len(files), 3, *size), dtype=np.uint8)

    def fill(position: int) -> None:
        pixels = _open(files[position], lambda image: _fit(image, size))
        images[position] = pixels.transpose(2, 0, 1)

    _for_each(len(files), fill)
    return torch.from_numpy(images)


def _fit(image: Image.Image, size: Size) -> npt.NDArray[np.uint8]:
    """[H, W, 3]."""
    height, width = size
    rgb = image.convert("RGB")
    if (rgb.height, rgb.width) != size:
        scale = max(height / rgb.height, width / rgb.width)
        covering = max(width, round(rgb.width * scale)), max(height, round(rgb.height * scale))
        rgb = rgb.resize(covering, Image.Resampling.BILINEAR)
        left, top = (rgb.width - width) // 2, (rgb.height - height) // 2
        rgb = rgb.crop((left, top, left + width, top + height))
    return np.asarray(rgb)


def _open(path: Path, read: Callable[[Image.Image], Read]) -> Read:
    try:
        with Image.open(path) as image:
            return read(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"cannot decode the image {path} ({error}): replace the file or take it out"
        ) from None


def _for_each(count: int, act: Callable[[int], None]) -> None:
    """Call ``act`` with 0..count-1 in threads; the first error in order is raised."""

    def act_on_chunk(start: int) -> None:
        for position in range(start, min(start + CHUNK, count)):
            act(position)

    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        for _ in pool.map(act_on_chunk, range(0, count, CHUNK)):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
