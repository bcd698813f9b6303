"""A submodule as a network of its own, whose layers and tensors are named as in the whole."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from autoprune.errors import TaskError


def part_of(network: nn.Module, name: str) -> nn.Module:
    """The submodule called ``name``, sharing its tensors with ``network``; all of it for ``""``.

    Raises:
        TaskError: there is no such submodule; lists the first ones.
    """
    if not name:
        return network
    try:
        part = network.get_submodule(name)
    except AttributeError:
        offered = ", ".join(child for child, _ in network.named_children())
        raise TaskError(
            f"part {name!r} of the task is no submodule of {type(network).__name__}; there is: "
            f"{offered}, and what these hold"
        ) from None
    return _Part(part, name)


class _Part(nn.Module):
    def __init__(self, part: nn.Module, name: str) -> None:
        super().__init__()
        self._name = name
        *holders, last = name.split(".")
        inner: nn.Module = self
        inner.training = part.training
        for holder in holders:
            inner.add_module(holder, nn.Module())
            inner = inner.get_submodule(holder)
            inner.training = part.training
        inner.add_module(last, part)

    def forward(self, *inputs: torch.Tensor) -> Any:
        """What the part puts out."""
        return self.get_submodule(self._name)(*inputs)
