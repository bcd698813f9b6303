"""Whether a runtime takes a network as it is, asked before anything is measured."""

from __future__ import annotations

import torch
from torch import nn

from autoprune.errors import ModelError
from autoprune.jobs.subject import Subject
from latency_tables.errors import LatencyTableError
from latency_tables.runtimes.port import Runtime


def check_exportable(subject: Subject, port: Runtime, threads: int) -> None:
    """Refuse a network that cannot be measured as a whole.

    Raises:
        ModelError: names the layer, and what the runtime or its exporter says of the operator.
    """
    network = subject.measured()
    reason = _refusal(port, network, subject.example_input, threads)
    if reason is None:
        return
    for name, layer, inputs in _calls(network, subject.example_input):
        why = _refusal(port, layer, inputs, threads)
        if why is not None:
            raise ModelError(
                f"layer {name!r} ({type(layer).__name__} of an input of {tuple(inputs.shape)}) "
                f"cannot be run by {port.name}: {why}. Replace the layer, or measure with another "
                "--runtime"
            )
    raise ModelError(
        f"the network cannot be run by {port.name}, though each of its layers can: {reason}. "
        "Change what it computes between its layers, or measure with another --runtime"
    )


def _refusal(port: Runtime, model: nn.Module, inputs: torch.Tensor, threads: int) -> str | None:
    """Why a network cannot be run; None where it can."""
    try:
        port.network_runner(model, inputs, threads)
    except LatencyTableError:
        raise  # names the thing itself
    except Exception as error:
        said = str(error).strip().splitlines()
        return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
    return None


def _calls(model: nn.Module, example: torch.Tensor) -> list[tuple[str, nn.Module, torch.Tensor]]:
    """Every innermost layer that takes one tensor, with its input, in the order of the calls."""
    calls: list[tuple[str, nn.Module, torch.Tensor]] = []
    names = {layer: name for name, layer in model.named_modules() if not list(layer.children())}

    def note(layer: nn.Module, inputs: tuple[object, ...]) -> None:
        if len(inputs) == 1 and isinstance(inputs[0], torch.Tensor):
            calls.append((names[layer], layer, inputs[0].detach().clone()))

    handles = [layer.register_forward_pre_hook(note) for layer in names]
    try:
        with torch.inference_mode():
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return calls
