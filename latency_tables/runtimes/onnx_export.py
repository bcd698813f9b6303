"""The one way a network becomes ONNX: what is measured is what is exported."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_leaves

OPSET = 17
INPUT_NAME = "input"
OUTPUT_NAME = "output"


def export_onnx(model: torch.nn.Module, example_input: torch.Tensor) -> bytes:
    """Serialise a network with a static batch, as it computes in evaluation mode.

    The exporter that traces is used: it takes milliseconds where the one built on torch.export
    takes half a second, and a search measures many networks.

    Weights that a parametrisation computes (weight norm, spectral norm) are written as the
    constants they are once the network is trained.

    Args:
        model: in evaluation mode on the CPU; left as it is.
        example_input: [batch, ...]; its shape becomes the file's.

    Returns:
        An ONNX model with one input, ``input``, and one output, ``output``. What a network returns
        in dicts, lists or tuples are several, in the order of :func:`flat`: ``output``,
        ``output1`` and so on.

    Raises:
        ValueError: the model is in training mode, so that its batch norms would be exported so.
    """
    if model.training:
        raise ValueError("the model is in training mode: call model.eval() before the export")
    model = _with_plain_weights(model)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode(), _flat_outputs(model):
        count = len(flat(model(example_input)))
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example_input,),
            buffer,  # type: ignore[arg-type]  # this exporter takes buffers, undeclared
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=output_names(count),
        )
    content = buffer.getvalue()
    return _with_plain_padding(content) if b"SAME_UPPER" in content else content


def flat(outputs: Any) -> tuple[torch.Tensor, ...]:
    """The tensors of what a network returns, in dicts, lists and tuples of any depth."""
    return tuple(leaf for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor))


def output_names(count: int) -> list[str]:
    """Names of so many outputs."""
    return [f"{OUTPUT_NAME}{number or ''}" for number in range(count)]


@contextmanager
def _flat_outputs(model: torch.nn.Module) -> Iterator[None]:
    """Inside, ``model`` returns a tuple where it would return several tensors otherwise."""

    def flatten(_model: torch.nn.Module, _inputs: object, outputs: Any) -> Any:
        return outputs if isinstance(outputs, torch.Tensor) else flat(outputs)

    handle = model.register_forward_hook(flatten)
    try:
        yield
    finally:
        handle.remove()


def _with_plain_weights(model: torch.nn.Module) -> torch.nn.Module:
    """``model``, or a copy of it without parametrisations where it has some."""
    if not any(parametrize.is_parametrized(module) for module in model.modules()):
        return model
    model = copy.deepcopy(model)
    computed = [module for module in model.modules() if parametrize.is_parametrized(module)]
    for module in computed:
        with torch.no_grad():
            weights = {name: getattr(module, name) for name in module.parametrizations}  # type: ignore[union-attr]
        # Not by remove_parametrizations: it changes the class, which all copies have in common.
        module.__class__ = type(module).__bases__[0]
        del module.parametrizations
        for name, weight in weights.items():
            module.register_parameter(name, torch.nn.Parameter(weight))
    return model


def _with_plain_padding(content: bytes) -> bytes:
    """Convolutions of ``padding="same"`` with their padding in numbers.

    ONNX Runtime refuses the exporter's words for it beside a dilation.
    """
    model = onnx.load_model_from_string(content)
    for node in model.graph.node:
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv" and given.get("auto_pad") == b"SAME_UPPER":
            sides = zip(given["kernel_shape"], given["dilations"], strict=True)
            total = [(kernel - 1) * dilation for kernel, dilation in sides]
            pads = [*(t // 2 for t in total), *(t - t // 2 for t in total)]
            kept = [a for a in node.attribute if a.name not in ("auto_pad", "pads")]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("pads", pads)])
    numbered: bytes = model.SerializeToString()
    return numbered
