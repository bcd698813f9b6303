"""Suffix-only forward passes: what comes before a change is computed once.

A pass of the unpruned network over a batch is recorded: the outputs of its heavy module calls. A
network that differs from it only in tensors that are read late gives, over the same batch, the same
outputs before, so those calls return what was recorded; a whole stage or block returns at once.
What is not recorded is computed. Either way the result is the same to the bit.

A module's output must depend on its inputs and its weights alone, which is true of all but odd
networks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from autoprune.data.seeding import isolated_randomness
from autoprune.evaluation.call_order import WHOLE, Act, CallOrder, heavy_modules, intercepted
from autoprune.evaluation.modes import evaluating


@dataclass(frozen=True)
class Recording:
    """One batch through the unpruned network.

    Args:
        images: the batch, [N, ...].
        outputs: of some of the heavy calls, by their number in the call order.
    """

    images: torch.Tensor
    outputs: Mapping[int, torch.Tensor]


def record(
    network: nn.Module, images: torch.Tensor, order: CallOrder, memory_bytes: int
) -> Recording | None:
    """Record a pass over ``images``, keeping what saves the most time for its memory.

    Returns:
        None where not even the images fit into ``memory_bytes``, or nothing could be replayed.
    """
    room = memory_bytes - _bytes(images)
    if room < 0:
        return None
    recorder = _Recorder(order, room)
    with isolated_randomness(0), evaluating(network):
        if _computes_otherwise(network, images):
            return None
        drawn, written = _drawn(images.device), _versions(network.state_dict())
        with intercepted(heavy_modules(network), recorder.call):
            network(images)
        # A call that draws random numbers or counts something cannot be left out.
        repeatable = torch.equal(drawn, _drawn(images.device))
        repeatable = repeatable and _versions(network.state_dict()) == written
    return Recording(images, recorder.outputs()) if repeatable else None


@contextmanager
def suffix_only(
    network: nn.Module, order: CallOrder, recordings: Sequence[Recording], until: int
) -> Iterator[None]:
    """Inside, ``network`` computes only what was not recorded or ended after ``until``.

    Args:
        network: as recorded, but for tensors first read at ``until`` or later, and for what
            modules do that are first reached after it.
        until: a time of the call order.
    """
    replay = _Replay(network, order, recordings, until)
    with intercepted(heavy_modules(network), replay.call):
        yield


@dataclass(frozen=True)
class _Kept:
    output: torch.Tensor
    seconds: float

    @property
    def worth(self) -> float:
        """Seconds saved per byte."""
        return self.seconds / max(1, _bytes(self.output))


class _Recorder:
    def __init__(self, order: CallOrder, room: int) -> None:
        self._order = order
        self._room = room
        self._number = 0
        self._kept: dict[int, _Kept] = {}
        self._strayed = False

    def call(self, name: str, forward: Act, *args: Any, **kwargs: Any) -> Any:
        number = self._number
        self._number += 1
        versions = _versions((args, kwargs))
        started = time.perf_counter()
        output = forward(*args, **kwargs)
        seconds = time.perf_counter() - started
        calls = self._order.calls
        if number >= len(calls) or (calls[number].module, calls[number].after) != (
            name,
            self._number,
        ):
            self._strayed = True
        # A call that changes its inputs in place does more than its output tells.
        if isinstance(output, torch.Tensor) and _versions((args, kwargs)) == versions:
            self._keep(number, output, seconds)
        return output

    def outputs(self) -> dict[int, torch.Tensor]:
        """What is kept; nothing where the calls came in another order."""
        return {} if self._strayed else {n: kept.output for n, kept in self._kept.items()}

    def _keep(self, number: int, output: torch.Tensor, seconds: float) -> None:
        copy = output.clone()  # what comes after may change the output in place
        if copy.stride() != output.stride():
            return
        self._kept[number] = _Kept(copy, seconds)
        self._room -= _bytes(copy)
        while self._room < 0:
            least = min(self._kept, key=lambda kept: self._kept[kept].worth)
            self._room += _bytes(self._kept.pop(least).output)


class _Replay:
    def __init__(
        self,
        network: nn.Module,
        order: CallOrder,
        recordings: Sequence[Recording],
        until: int,
    ) -> None:
        self._network = network
        self._order = order
        self._recordings = recordings
        self._until = until
        self._outputs: dict[int, torch.Tensor] = {}
        self._number = 0
        self._replaying = False

    def call(self, name: str, forward: Act, *args: Any, **kwargs: Any) -> Any:
        if self._replaying:
            return self._part(forward, args, kwargs)
        recording = self._recording_of(args, kwargs) if name == WHOLE else None
        if recording is None:
            return forward(*args, **kwargs)
        calls = self._order.calls
        self._outputs = {
            number: output
            for number, output in recording.outputs.items()
            if calls[number].ended <= self._until
        }
        self._number, self._replaying = 0, True
        try:
            return self._part(forward, args, kwargs)
        finally:
            self._replaying = False

    def _part(self, forward: Act, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        number = self._number
        self._number += 1
        known = self._outputs.get(number)
        if known is None:
            return forward(*args, **kwargs)
        self._number = self._order.calls[number].after
        return known.clone()  # what comes after may change it in place

    def _recording_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recording | None:
        if kwargs or len(args) != 1 or not isinstance(args[0], torch.Tensor):
            return None
        if _computes_otherwise(self._network, args[0]):
            return None
        return next((kept for kept in self._recordings if _same(kept.images, args[0])), None)


def _drawn(device: torch.device) -> torch.Tensor:
    """State of the generators that a pass on this device may draw from."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


def _computes_otherwise(network: nn.Module, images: torch.Tensor) -> bool:
    """Whether a pass is more than inference: with gradients, in training mode, with hooks."""
    return (
        torch.is_grad_enabled()
        or torch.is_autocast_enabled(images.device.type)
        or any(
            module.training or module._forward_hooks or module._forward_pre_hooks
            for module in network.modules()
        )
    )


def _same(recorded: torch.Tensor, images: torch.Tensor) -> bool:
    """Same values in the same layout: another layout may round otherwise."""
    return (
        recorded.dtype == images.dtype
        and recorded.shape == images.shape
        and recorded.stride() == images.stride()
        and torch.equal(recorded, images)
    )


def _versions(holder: object) -> list[int]:
    """How often each tensor in lists, tuples and dictionaries was changed in place."""
    return [value._version for value in tree_leaves(holder) if isinstance(value, torch.Tensor)]


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
