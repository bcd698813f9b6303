"""Torch-Pruning's dependency graph of a model, built once, with nothing shared between builds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch_pruning as tp
from torch import nn

from autoprune.errors import ModelError
from autoprune.models.channel_map import ChannelMap
from autoprune.pruning.deadline import DeadlineError, call_within

PRODUCERS = (nn.modules.conv._ConvNd, nn.Linear)


@dataclass(frozen=True)
class Trace:
    """A copy of the model with the graph of what depends on what in it.

    Args:
        graph: the dependency graph; its modules are those of ``model``.
        model: the traced copy; parameter names are those of the original.
        layers: names of convolutions and linear layers in the order they ran.
    """

    graph: Any
    model: nn.Module
    layers: tuple[str, ...]

    def follows(self, layer: str) -> bool:
        """Whether the graph reaches ``layer`` from the output."""
        return self.model.get_submodule(layer) in self.graph.module2node

    def tied(self, layer: str) -> Any:
        """Torch-Pruning's group of all output channels of ``layer``."""
        module = self.model.get_submodule(layer)
        pruner = self.graph.get_pruner_of_module(module)
        units = range(pruner.get_out_channels(module))
        return self.graph.get_pruning_group(module, pruner.prune_out_channels, list(units))


@dataclass
class _Run:
    """What one forward pass shows: the layers that ran, and those entered and not left."""

    layers: list[str] = field(default_factory=list)
    in_channels: dict[nn.Module, int] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)


def trace(model: nn.Module, example_input: torch.Tensor, time_limit_s: float) -> Trace:
    """Run the model once and build its dependency graph.

    Raises:
        ModelError: the model does not run on the example input (names the layer), or its graph
            cannot be built, or not in time.
    """
    traced = copy.deepcopy(model).eval().requires_grad_(True)
    run = _observe(traced, example_input)
    try:
        graph = call_within(time_limit_s, lambda: _build(traced, example_input, run))
    except DeadlineError as error:
        raise ModelError(
            f"the dependency graph of {type(model).__name__} was not built in {time_limit_s:g} s: "
            "raise the time limit, or prune a part of the model"
        ) from error
    except Exception as error:
        raise ModelError(
            f"the dependency graph of {type(model).__name__} cannot be built "
            f"({type(error).__name__}: {error})"
        ) from error
    return Trace(graph, traced, tuple(run.layers))


def _observe(model: nn.Module, example_input: torch.Tensor) -> _Run:
    run = _Run()
    with _hooks(model, run), torch.no_grad():
        try:
            model(example_input)
        except Exception as error:
            where = next((name for name in reversed(run.open) if name), "the model itself")
            raise ModelError(
                f"the model cannot be traced: layer {where!r} of {type(model).__name__} raised "
                f"{type(error).__name__}: {error} on an input of shape "
                f"{tuple(example_input.shape)}; check the input shape and the model's forward"
            ) from error
    return run


@contextmanager
def _hooks(model: nn.Module, run: _Run) -> Iterator[None]:
    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(_enter(run, name)))
        handles.append(module.register_forward_hook(_leave(run, name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _enter(run: _Run, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        run.open.append(name)
        if isinstance(module, ChannelMap):
            run.in_channels[module] = inputs[0].shape[1]

    return enter


def _leave(run: _Run, name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
    def leave(module: nn.Module, _inputs: tuple[Any, ...], _output: Any) -> None:
        run.open.pop()
        if isinstance(module, PRODUCERS) and name not in run.layers:
            run.layers.append(name)

    return leave


def _build(model: nn.Module, example_input: torch.Tensor, run: _Run) -> Any:
    with torch.enable_grad():
        # Every container is given: the defaults are shared between all graphs of a process.
        return tp.DependencyGraph().build_dependency(
            model,
            example_inputs=(example_input,),
            output_transform=_mark_outputs,
            unwrapped_parameters=[],
            customized_pruners={ChannelMap: _ChannelMapPruner(run.in_channels)},
            ignored_layers=[],
            ignored_params=[],
            verbose=False,
        )


def _mark_outputs(outputs: object) -> list[torch.Tensor]:
    """Add 0 to every output, so that each becomes a node of its own, known as an output."""
    return [output + 0 for output in tp.utils.flatten_as_list(outputs)]


class _ChannelMapPruner(tp.pruner.function.BasePruningFunc):  # type: ignore[misc]
    """Keeps the two sides of a channel map apart: pruning one does not reach the other.

    The graph only compares these methods; nothing is pruned through them.
    """

    TARGET_MODULES = ChannelMap

    def __init__(self, in_channels: dict[nn.Module, int]) -> None:
        super().__init__()
        self._in_channels = in_channels

    def prune_out_channels(self, layer: nn.Module, _idxs: Sequence[int]) -> nn.Module:
        return layer

    def prune_in_channels(self, layer: nn.Module, _idxs: Sequence[int]) -> nn.Module:
        return layer

    def get_out_channels(self, layer: ChannelMap) -> int:
        return len(layer.channel_map)

    def get_in_channels(self, layer: ChannelMap) -> int:
        return self._in_channels[layer]
