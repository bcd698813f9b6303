"""A model's graph of operators, by torch.export."""

from __future__ import annotations

import copy
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from autoprune.errors import ModelError
from autoprune.user_code import place_in, raised


def export(model: nn.Module, example_input: torch.Tensor) -> ExportedProgram:
    """Export a copy of the model in evaluation mode, at the shape of the example input.

    Raises:
        ModelError: the model does not run on the input (names the layer), or cannot be exported.
    """
    model = copy.deepcopy(model).eval()
    _run(model, example_input)
    try:
        with _quiet():
            return torch.export.export(model, (example_input,))
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ModelError(
            f"{type(model).__name__} cannot be exported ({type(error).__name__}: {reason}"
            f"{place_in(traceback.extract_tb(error.__traceback__))}); its forward must compute "
            "with tensors alone, and must not depend on the values of its input (torch.where "
            "chooses between tensors)"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, torch does not print the graph it stops at: our message names the line."""
    disabled, written = logging.root.manager.disable, StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(written):
            yield
        sys.stderr.write(written.getvalue())  # of an export that went well, as the model wants it
    finally:
        logging.disable(disabled)


def innermost(entered: Sequence[str]) -> str:
    """Of the modules that :func:`watching` found entered, the one to name."""
    return next((name for name in reversed(entered) if name), "the model itself")


def _run(model: nn.Module, example_input: torch.Tensor) -> None:
    entered: list[str] = []
    with watching(model, entered), torch.no_grad():
        try:
            model(example_input)
        except Exception as error:
            where = innermost(entered)
            raise ModelError(
                f"the model does not run: layer {where!r} of {type(model).__name__} raised "
                f"{raised(error)}, on an input of shape "
                f"{tuple(example_input.shape)}; check the input shape and the model's forward"
            ) from error


@contextmanager
def watching(model: nn.Module, entered: list[str]) -> Iterator[None]:
    """Inside, ``entered`` holds the modules that were entered and not left."""

    def enter(name: str) -> Callable[..., None]:
        return lambda *_: entered.append(name)

    def leave(*_: Any) -> None:
        entered.pop()

    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(enter(name)))
        handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
