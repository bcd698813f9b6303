"""What a forward pass of the unpruned network may not do, and what it must give."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from autoprune.data.dataset import Dataset
from autoprune.errors import ModelError
from autoprune.evaluation.outputs import check_scores
from autoprune.pruning.exporting import innermost, watching
from autoprune.user_code import place_in


def check_input_kept(model: nn.Module, example: torch.Tensor) -> None:
    """Raise ModelError where the model writes into its input; names the layer and the line.

    Batches are kept, and shown to the teacher and to several candidates: they must stay.

    Args:
        example: [N, ...]; left as it is.
    """
    images = example[:1].clone()
    entered: list[str] = []
    watch = _Watch(images, entered)
    try:
        with torch.no_grad(), watching(model, entered), watch:
            model(images)
    except Exception:
        return  # finding the groups runs the model again, and says in which layer it fails
    if watch.found is not None or not torch.equal(images, example[:1]):
        where = watch.found or type(model).__name__
        raise ModelError(
            f"the model changes its input in place ({where}), so that a batch could not be used "
            "twice: let its forward begin with a copy, as in images = images.clone(), or use the "
            "operation that is not in place"
        )


def check_copied_after_use(model: nn.Module, example: torch.Tensor) -> None:
    """Raise ModelError where a forward pass leaves behind in the model what cannot be copied."""
    used = copy.deepcopy(model)
    try:
        with torch.enable_grad():
            used(example[:1].clone())
    except Exception:
        return
    try:
        copy.deepcopy(used)
    except Exception as error:
        raise ModelError(
            f"{type(model).__name__} cannot be copied after a forward pass ({_held(used)}"
            f"{type(error).__name__}), and every candidate is a copy: a tensor that the forward "
            "keeps in the model has to be detached, as in self.features = x.detach()"
        ) from error


def _held(model: nn.Module) -> str:
    """The first tensor with a history that a module keeps, for the message."""
    for name, module in model.named_modules():
        for key, value in vars(module).items():
            if isinstance(value, torch.Tensor) and value.grad_fn is not None:
                return f"it keeps {f'{name}.{key}'.lstrip('.')!r}: "
    return ""


class _Watch(TorchFunctionMode):
    """Notes where a tensor is first written to."""

    def __init__(self, watched: torch.Tensor, entered: Sequence[str]) -> None:
        super().__init__()
        self.found: str | None = None
        self._watched = watched
        self._entered = entered
        self._version = watched._version
        self._depth = len(traceback.extract_stack())

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function, then look."""
        result = func(*args, **(kwargs or {}))
        if self.found is None and self._watched._version != self._version:
            frames = [f for f in traceback.extract_stack()[self._depth :] if f.filename != __file__]
            self.found = f"layer {innermost(self._entered)!r}{place_in(frames)}"
        return result


def check_outputs(model: nn.Module, example: torch.Tensor, dataset: Dataset) -> None:
    """Raise ModelError unless the model gives finite class scores [N, classes].

    A task's network may put out anything whose numbers are finite; its loss tells the rest.
    """
    try:
        with torch.no_grad():
            output = model(example)
    except Exception:
        return  # finding the groups runs the model again, and says in which layer it fails
    what = "outputs" if dataset.task is not None else "class scores"
    if dataset.task is None:
        check_scores(output, len(example), dataset)
    leaves = [leaf for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]
    if not all(bool(leaf.isfinite().all()) for leaf in leaves):
        raise ModelError(
            f"the model's {what} are not finite numbers (nan or inf): check its weights"
        )
