"""Sizes that a network's forward gives as numbers, where narrower tensors need others."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from autoprune.user_code import place_in

_PARTS = frozenset({"split", "split_with_sizes"})
_VIEWS = frozenset({"reshape", "unflatten", "view"})


@dataclass(frozen=True)
class _Call:
    """A call that gives sizes: of a tensor of this shape, along ``dim`` where it has one."""

    name: str
    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    dim: int
    place: str


def written_size(full: nn.Module, narrow: nn.Module, inputs: torch.Tensor) -> str | None:
    """Why ``narrow`` does not run: a size that is the same for fewer channels; None for none.

    Args:
        full: the unpruned network.
        narrow: the same with fewer channels; it may stop.
        inputs: of both.
    """
    for before, after in zip(_calls(full, inputs), _calls(narrow, inputs), strict=False):
        if (before.name, before.sizes, before.dim) != (after.name, after.sizes, after.dim):
            continue
        if before.name in _PARTS and before.shape[before.dim] != after.shape[before.dim]:
            return _told_of_parts(before)
        if before.name in _VIEWS and not _left_open(before) and _count(before) != _count(after):
            return _told_of_view(before)
    return None


def _left_open(call: _Call) -> bool:
    """Whether a view has -1 where the channels may be; the first axis of a tensor is the batch."""
    first = 0 if call.name == "unflatten" or len(call.sizes) == 1 else 1
    return -1 in call.sizes[first:]


def _told_of_parts(call: _Call) -> str:
    parts = math.ceil(call.shape[call.dim] / call.sizes[0])
    size = call.sizes[0] if len(call.sizes) == 1 else list(call.sizes)
    return (
        f"the size of the parts is written in the forward: {call.name}({size}, {call.dim})"
        f"{call.place}, which fewer channels do not fit; chunk({parts}, {call.dim}) makes equal "
        "parts of whatever is left, so that they can be pruned"
    )


def _told_of_view(call: _Call) -> str:
    named = call.name == "unflatten"
    given = f"{call.dim}, {call.sizes}" if named else ", ".join(str(size) for size in call.sizes)
    example = ""
    if named:
        example = f", as in unflatten({call.dim}, {(-1, *call.sizes[1:])}),"
    elif len(call.shape) == 2 and len(call.sizes) > 2:
        pixels = ", ".join(str(size) for size in call.sizes[2:])
        example = f", as in {call.name}(x.size(0), -1, {pixels}),"
    return (
        f"the number of channels is written in the forward: {call.name}({given}){call.place}, "
        f"which fewer channels do not fit; with -1 in its place{example} or with a size taken "
        "from x.shape they can be pruned"
    )


def _count(call: _Call) -> int:
    return math.prod(call.shape)


def _calls(network: nn.Module, inputs: torch.Tensor) -> list[_Call]:
    """In their order; of a network that stops, those before."""
    recording = _Recording(len(traceback.extract_stack()))
    with recording, torch.no_grad(), suppress(Exception):
        network(inputs)
    return recording.calls


class _Recording(TorchFunctionMode):
    """Inside, calls that give sizes are kept.

    Args:
        depth: frames of the stack that are not the network's.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.calls: list[_Call] = []
        self._depth = depth

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        given = _given(name, args[1:], kwargs)
        if given is not None and isinstance(args[0], torch.Tensor):
            sizes, dim = given
            place = place_in(traceback.extract_stack()[self._depth :])
            shape = tuple(args[0].shape)
            self.calls.append(_Call(name, shape, sizes, dim % len(shape), place))
        return func(*args, **kwargs)


def _given(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[tuple[int, ...], int] | None:
    """Sizes and dimension that a call gives; None where it gives no sizes."""
    if name not in _PARTS | _VIEWS:
        return None
    others = [*args, *(value for key, value in kwargs.items() if key != "dim")]
    if "dim" in kwargs:
        others.insert(0 if name == "unflatten" else 1, kwargs["dim"])
    sizes: Any
    if name == "unflatten":
        dim, sizes = others
    elif name in _PARTS:
        sizes, dim = (*others, 0)[:2]
    else:
        sizes, dim = others[0] if len(others) == 1 else others, 0
    sizes = (sizes,) if isinstance(sizes, int) else sizes
    if not isinstance(sizes, Sequence) or not all(isinstance(size, int) for size in sizes):
        return None  # a type of numbers, or sizes with names
    return tuple(sizes), int(dim)
