"""One item of a loader whose targets are a task's: any tensors, lists and dicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_map

from autoprune.data.targets import Tree, count_mismatch, describe
from autoprune.errors import DataError

_PLAIN = (bool, int, float, str, type(None))


def pair_of_task(where: str, item: Any, *, batches: bool = False) -> tuple[torch.Tensor, Tree]:
    """(images [B, C, H, W], targets with one entry an image) of a loader's item.

    An item is a batch, (images [B, C, H, W] or a list of [C, H, W], targets), or one image
    ([C, H, W], target). Inputs of other shapes than an image's come in batches [B, ...]. The
    targets of a batch are a tensor [B, ...], a list of B, or a dict or tuple of these; a tuple
    beside a list of images has one entry an image. The target of one image is stacked where it is
    a number or a tensor, and an entry of a list otherwise.

    Args:
        batches: whether every item is known to be a batch, so that three dimensions are no image.

    Raises:
        DataError: anything else; says what came.
    """
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"{where}: expected (images, targets), got {describe(item)}")
    images, targets = item
    collected = isinstance(images, tuple | list)
    if collected:
        images = _stacked(where, images)
        targets = list(targets) if isinstance(targets, tuple) else targets
    if not isinstance(images, torch.Tensor) or images.ndim < 2:
        raise DataError(
            f"{where}: images must be a tensor [B, C, H, W] or [C, H, W], a list of these, or "
            f"other inputs [B, ...], got {describe(images)}"
        )
    targets = tree_map(lambda leaf: _leaf(where, leaf), targets)
    if images.ndim == 3 and not batches:
        images, targets = images[None], _of_one(targets)
    wrong = count_mismatch(targets, len(images))
    if wrong is not None:
        raise DataError(
            f"{where}: expected {len(images)} targets, one an image, got {wrong}. A list has one "
            "entry an image; several targets of each image go into a dict or tuple"
        )
    images = images.detach().cpu()
    return (images if images.dtype == torch.uint8 else images.to(torch.float32)).clone(), targets


def _stacked(where: str, images: Any) -> torch.Tensor:
    shapes = {tuple(image.shape) for image in images if isinstance(image, torch.Tensor)}
    if len(shapes) != 1 or not all(isinstance(image, torch.Tensor) for image in images):
        raise DataError(
            f"{where}: a list of images must be tensors [C, H, W] of one shape, got "
            f"{describe(images)}: {sorted(shapes)}"
        )
    return torch.stack(list(images))


def _of_one(target: Any) -> Tree:
    if isinstance(target, bool | int | float):
        return torch.as_tensor([target])
    return target[None] if isinstance(target, torch.Tensor) else [target]


def _leaf(where: str, leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray | np.generic):
        leaf = torch.as_tensor(leaf)
    if isinstance(leaf, torch.Tensor):
        return leaf.detach().cpu().clone()
    if isinstance(leaf, _PLAIN):
        return leaf
    raise DataError(
        f"{where}: targets are made of tensors, numbers and text, got {type(leaf).__name__}: "
        "convert it, as an image with torchvision.transforms.functional.pil_to_tensor"
    )
