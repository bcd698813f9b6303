"""On which device a network is trained and scored, and everything that has to follow it there."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

CPU = torch.device("cpu")


def device_of(model: nn.Module) -> torch.device:
    """Where a network's tensors are; the CPU where it has none."""
    first = next(chain(model.parameters(), model.buffers()), None)
    return CPU if first is None else first.device


def arranged(
    model: nn.Module, layout: torch.memory_format, device: torch.device | None = None
) -> nn.Module:
    """``model`` itself, on ``device`` or where it is, with its layout in memory.

    Args:
        layout: of the images that it is given on a CPU, :attr:`Dataset.layout`.
    """
    device = device_of(model) if device is None else device
    moved: nn.Module = model.to(device=device, memory_format=layout_on(device, layout))  # type: ignore[call-overload]
    return moved


def layout_on(device: torch.device, layout: torch.memory_format) -> torch.memory_format:
    """Of images and of the weights of convolutions, where it is ``layout`` on a CPU.

    Channels last trains a ResNet-20 about a seventh faster on a CPU, and far slower on a GPU in
    float32.
    """
    return layout if device.type == "cpu" else torch.contiguous_format


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    """``model`` itself where it is on ``device``, else a copy there."""
    return model if device_of(model) == device else copy.deepcopy(model).to(device)


def follow(tree: Any, device: torch.device) -> Any:
    """A tree of targets with all its tensors on ``device``."""
    if device == CPU:
        return tree
    return tree_map(lambda leaf: leaf.to(device) if isinstance(leaf, torch.Tensor) else leaf, tree)


def sent(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Images [N, ...] on ``device``, in the layout that they have there.

    Args:
        images: on the CPU, in the layout of their dataset.
    """
    if device == CPU:
        return images
    layout = torch.contiguous_format if images.ndim == 4 else torch.preserve_format
    return images.to(device).contiguous(memory_format=layout)
