"""On a GPU a step is recorded once and replayed.

A small network's step is hundreds of kernels of microseconds each, and launching them one by one
takes longer than they do. A CUDA graph (CUDA programming guide, "CUDA graphs") launches them at
once: the same kernels on the same memory, so the weights come out the same every time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from autoprune.evaluation.losses import diverged
from autoprune.evaluation.objective import Classification, Objective
from autoprune.evaluation.placement import device_of
from autoprune.evaluation.stepping import EagerSteps, Steps
from autoprune.evaluation.training_state import TrainingState

FEWEST = 10
"""Steps that are worth a recording, which itself takes as long as about five."""

_WARM_UP = 3
"""Steps before the recording, as torch asks for; they are taken back."""


class ReplayedSteps:
    """The first step is recorded, and every step replays it with its own images.

    Whether all losses are finite is known when they are asked for: waiting for each would leave the
    GPU idle. What cannot be recorded, or comes in another shape, is computed step by step.
    """

    def __init__(self, eager: EagerSteps) -> None:
        self._eager = eager
        self._recording: _Recording | None = None
        self._recordable = True
        self._taken: list[tuple[int, torch.Tensor]] = []

    @property
    def replays(self) -> bool:
        """Whether a step was recorded."""
        return self._recording is not None

    def take(
        self, images: torch.Tensor, targets: Any, taught: Any, learning_rate: float, step: int
    ) -> None:
        """Take one step."""
        given = [images, targets] if taught is None else [images, targets, taught]
        if self._recording is None and self._recordable:
            with torch.cuda.device(images.device):
                self._recording = _record(self._eager, given)
            self._recordable = self._recording is not None
        if self._recording is None or not self._recording.takes(given):
            self._eager.take(images, targets, taught, learning_rate, step)
            return
        with torch.cuda.device(images.device):
            self._taken.append((step, self._recording.replay(given, learning_rate)))

    def losses(self) -> list[float]:
        """Of the steps since this was last asked; raises DivergedError where one is not finite."""
        computed = self._eager.losses()
        if not self._taken:
            return computed
        values = torch.stack([loss for _, loss in self._taken]).tolist()
        for (step, _), value in zip(self._taken, values, strict=True):
            if not math.isfinite(value):
                raise diverged(value, step)
        self._taken = []
        return [*values, *computed]


class _Recording:
    """A step as a CUDA graph, and the memory that it reads its inputs from."""

    def __init__(
        self,
        graph: torch.cuda.CUDAGraph,
        inputs: list[torch.Tensor],
        rate: torch.Tensor,
        loss: torch.Tensor,
    ) -> None:
        self._graph = graph
        self._inputs = inputs
        self._rate = rate
        self._loss = loss

    def takes(self, given: list[torch.Tensor]) -> bool:
        """Whether these have the shapes of what was recorded."""
        return [each.shape for each in given] == [each.shape for each in self._inputs]

    def replay(self, given: list[torch.Tensor], learning_rate: float) -> torch.Tensor:
        """Take the step with these; a copy of its loss."""
        for held, new in zip(self._inputs, given, strict=True):
            held.copy_(new)
        self._rate.fill_(learning_rate)
        self._graph.replay()
        return self._loss.clone()


def steps_of(eager: EagerSteps, objective: Objective, count: int) -> Steps:
    """How ``count`` steps are best taken: replayed for classes on a GPU.

    A task's loss is the user's code, which may look at numbers: it is called for every step.
    """
    on_gpu = device_of(eager.model).type == "cuda"
    worth_it = on_gpu and count >= FEWEST and isinstance(objective, Classification)
    return ReplayedSteps(eager) if worth_it else eager


def _record(eager: EagerSteps, given: list[torch.Tensor]) -> _Recording | None:
    """Record a step without changing anything; None where the network cannot be recorded.

    A step that ends in another tensor as its buffer, or draws random numbers on the CPU, would do
    the same again and again when it is replayed.
    """
    kept = TrainingState(eager.model, eager.optimizer)
    inputs = [each.clone() for each in given]
    rate = torch.zeros((), device=inputs[0].device)
    graph = torch.cuda.CUDAGraph()
    try:
        _warm_up(eager, inputs, rate)
        if not kept.repeatable():
            return None
        loss = _captured(eager, inputs, graph)
    except torch.OutOfMemoryError:
        raise  # computed step by step it might fit, and come to other last bits
    except RuntimeError:
        return None
    finally:
        kept.restore()
    return _Recording(graph, inputs, rate, loss)


def _captured(
    eager: EagerSteps, inputs: list[torch.Tensor], graph: torch.cuda.CUDAGraph
) -> torch.Tensor:
    """The loss that each replay of ``graph`` writes."""
    eager.optimizer.zero_grad()
    try:
        with torch.cuda.graph(graph):
            return _step(eager, inputs)
    except RuntimeError:
        # torch's generator believes that it goes on, until another one has ended.
        with torch.cuda.graph(torch.cuda.CUDAGraph()):
            inputs[0].clone()
        raise


def _warm_up(eager: EagerSteps, inputs: list[torch.Tensor], rate: torch.Tensor) -> None:
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    for group in eager.optimizer.param_groups:
        group["lr"] = rate
    with torch.cuda.stream(beside), _no_waiting():
        for _ in range(_WARM_UP):
            eager.optimizer.zero_grad()
            _step(eager, inputs)
    torch.cuda.current_stream().wait_stream(beside)


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Inside, what waits for a number from the GPU, and so cannot be recorded, raises."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _step(eager: EagerSteps, inputs: list[torch.Tensor]) -> torch.Tensor:
    images, targets, *taught = inputs
    loss = eager.loss(images, targets, taught[0] if taught else None)
    loss.backward()  # type: ignore[no-untyped-call]
    eager.optimizer.step()
    return loss.detach()
