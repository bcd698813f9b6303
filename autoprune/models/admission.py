"""What of a user's model is refused by a look at its modules, and layers it has yet to make."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from autoprune.errors import ModelError
from autoprune.user_code import raised

SEED = 0
"""Of the weights that lazy layers begin with."""
_QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")
_REPLACED_HOOKS = {WeightNorm: "weight_norm", SpectralNorm: "spectral_norm"}


def check_model(model: nn.Module) -> None:
    """Raise ModelError for layers and tensors that no search can work with; names the first."""
    lazy = _first_lazy(model)
    if lazy is not None:
        raise ModelError(
            f"layer {lazy!r} is lazy and has not got its size yet: run the model once on an image"
        )
    for name, module in model.named_modules():
        _check_module(name or type(model).__name__, module)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        _check_tensor(name, tensor)
    try:
        copy.deepcopy(model)
    except Exception as error:
        raise ModelError(
            f"{type(model).__name__} cannot be copied ({type(error).__name__}: {error}), and every "
            "candidate is a copy: keep in it what copy.deepcopy takes; tensors detached"
        ) from error


def with_lazy_layers_made(model: nn.Module, input_shape: Sequence[int] | None) -> nn.Module:
    """``model`` itself; layers that take their size from their input get it from one image.

    Their weights are the same every time.

    Args:
        input_shape: of one image; None leaves the model as it is.

    Raises:
        ModelError: the model stops on the image; names the first layer without a size.
    """
    lazy = _first_lazy(model)
    if input_shape is None or lazy is None:
        return model
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(SEED)
        try:
            model.eval()(torch.zeros(1, *input_shape))
        except Exception as error:
            raise ModelError(
                f"the model stops on an image of shape {tuple(input_shape)} with "
                f"{raised(error)}; so layer {_first_lazy(model) or lazy!r}, which "
                "is lazy, gets no size. Check the input shape and the model's forward"
            ) from error
    return model


def _first_lazy(model: nn.Module) -> str | None:
    """The first layer that has not got its size yet."""
    for name, module in model.named_modules():
        own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
        if any(isinstance(tensor, UninitializedParameter | UninitializedBuffer) for tensor in own):
            return str(name)
    return None


def _check_module(name: str, module: nn.Module) -> None:
    kind = type(module)
    if kind.__module__.startswith(_QUANTISED):
        raise ModelError(
            f"layer {name!r} is quantised ({kind.__module__}.{kind.__qualname__}): its weights are "
            "packed and cannot be pruned. Prune the network first and quantise what comes out"
        )
    for hook in module._forward_pre_hooks.values():
        old = _REPLACED_HOOKS.get(type(hook))
        if old is not None:
            raise ModelError(
                f"layer {name!r} has torch.nn.utils.{old}, whose computed weight cannot be copied "
                f"once it was trained: use torch.nn.utils.parametrizations.{old}, or call "
                f"torch.nn.utils.remove_{old} on the layer"
            )


def _check_tensor(name: str, tensor: torch.Tensor) -> None:
    if tensor.device.type not in ("cpu", "cuda"):
        raise ModelError(
            f"tensor {name!r} of the model is on device {str(tensor.device)!r}, a search takes "
            "what is on the CPU or on CUDA: move the whole model there with .cpu()"
        )
    trained = isinstance(tensor, nn.Parameter) and tensor.is_floating_point()
    if trained and tensor.dtype != torch.float32:
        raise ModelError(
            f"parameter {name!r} is {tensor.dtype}, expected torch.float32: call .float() on the "
            "model; the precision of inference is a matter of the runtime that is measured"
        )
