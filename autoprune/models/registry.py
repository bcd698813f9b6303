"""Models by name: the built-in ones, torchvision's, timm's, and the user's own factories."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType

from torch import nn

from autoprune.errors import ModelError, UnknownNameError
from autoprune.extras import install_command
from autoprune.models.admission import check_model, with_lazy_layers_made
from autoprune.models.attention import prunable_attention
from autoprune.models.cifar_resnet import cifar_resnet
from autoprune.models.digits_cnn import DigitsCnn
from autoprune.models.vgg import Vgg16Bn
from autoprune.torchvision_import import torchvision
from autoprune.user_code import raised
from autoprune.user_files import file_of, load_module, stopped

Shape = tuple[int, ...]
Builder = Callable[[int, Shape | None], nn.Module]
"""(classes, input shape) -> an untrained model in eval mode."""


@dataclass(frozen=True)
class BuiltIn:
    """A model of the project's own: how to build it and the input it is made for."""

    build: Callable[[int], nn.Module]
    input_shape: Shape


BUILT_IN: dict[str, BuiltIn] = {
    "digits_cnn": BuiltIn(DigitsCnn, (1, 8, 8)),
    **{
        f"resnet{depth}": BuiltIn(partial(cifar_resnet, depth), (3, 32, 32))
        for depth in (20, 32, 44, 56)
    },
    "vgg16_bn": BuiltIn(Vgg16Bn, (3, 32, 32)),
}
_AUXILIARY = frozenset({"googlenet", "inception_v3"})
"""Built without their auxiliary classifiers, which read channels in training alone."""
SOURCES = ("torchvision:NAME", "timm:NAME", "package.module:factory", "path/file.py:factory")


def build_model(name: str, *, classes: int, input_shape: Shape | None = None) -> nn.Module:
    """The model called ``name``, untrained, in eval mode.

    Args:
        name: ``autoprune:resnet20``, ``torchvision:resnet18``, ``timm:NAME``,
            ``package.module:factory`` or ``path/file.py:factory``. A factory is called with
            ``num_classes`` if it takes it, and with ``input_shape`` likewise, else with nothing.
        classes: outputs of the classifier; 0 where the data has none.
        input_shape: (channels, height, width) of one image, for factories that ask for it.

    Raises:
        UnknownNameError: nothing of that name; lists what there is.
        ModelError: the factory's module cannot be imported, or the factory fails.
    """
    return find_model(name)(classes, input_shape)


def find_model(name: str) -> Builder:
    """What builds the model called ``name``, see :func:`build_model`, before the data is known.

    Attention in it has heads that can be pruned.

    Raises:
        UnknownNameError: nothing of that name; lists what there is.
        ModelError: the factory's module cannot be imported.
    """
    source, colon, wanted = name.rpartition(":")
    if not colon or not source or not wanted:
        raise UnknownNameError("model", name, _known())
    if source == "autoprune":
        if wanted not in BUILT_IN:
            raise UnknownNameError("model", name, _known())
        build = BUILT_IN[wanted].build
    elif source == "torchvision":
        build = _torchvision_model(wanted)
    elif source == "timm":
        build = _timm_model(wanted)
    else:
        factory = _factory(source, wanted)
        return lambda classes, shape: prunable_attention(
            call_factory(name, factory, classes, shape)
        ).eval()
    return lambda classes, _shape: prunable_attention(build(_known_classes(name, classes))).eval()


def _known_classes(name: str, classes: int) -> int:
    if classes:
        return classes
    raise ModelError(
        f"model {name!r} is built for a number of classes, and the data of this task has none: "
        "name a factory that builds it, as in path/file.py:factory"
    )


def default_input_shape(name: str) -> Shape | None:
    """(channels, height, width) the model is made for, where that is known."""
    source, _, wanted = name.rpartition(":")
    if source == "autoprune" and wanted in BUILT_IN:
        return BUILT_IN[wanted].input_shape
    return (3, 224, 224) if source == "torchvision" else None


def _known() -> list[str]:
    return [*(f"autoprune:{name}" for name in BUILT_IN), *SOURCES]


def _torchvision_model(name: str) -> Callable[[int], nn.Module]:
    models = torchvision().models
    names: list[str] = models.list_models(module=models)
    if name not in names:
        raise UnknownNameError("torchvision model", name, names)
    if name not in _AUXILIARY:
        return lambda classes: models.get_model(name, weights=None, num_classes=classes)

    def without_auxiliary(classes: int) -> nn.Module:
        model: nn.Module = models.get_model(
            name, weights=None, num_classes=classes, aux_logits=False, init_weights=True
        )
        model.register_load_state_dict_pre_hook(_drop_auxiliary)  # type: ignore[no-untyped-call]
        return model

    return without_auxiliary


def _drop_auxiliary(_model: nn.Module, state: dict[str, object], prefix: str, *_: object) -> None:
    """Published weights hold the auxiliary classifiers too."""
    for name in [name for name in state if name.removeprefix(prefix).lower().startswith("aux")]:
        del state[name]


def _timm_model(name: str) -> Callable[[int], nn.Module]:
    torchvision()  # timm imports it too
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        raise ModelError(
            f"model 'timm:{name}' needs timm, which is not installed: {install_command('timm')}"
        ) from error
    if not timm.is_model(name):
        raise UnknownNameError("timm model", name, timm.list_models())
    return lambda classes: timm.create_model(name, pretrained=False, num_classes=classes)


def _factory(source: str, name: str) -> Callable[..., object]:
    module = _module(source)
    factory = getattr(module, name, None)
    if not callable(factory):
        offered = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise UnknownNameError(f"factory in {source!r}", name, offered)
    return factory  # type: ignore[no-any-return]


def _module(source: str) -> ModuleType:
    file = file_of(source)
    if file is not None and not file.is_file():
        raise ModelError(
            f"no model file {source!r}: give its path from {os.getcwd()!r}, "
            "or, for a job that is stored, run in the folder it was submitted in"
        )
    try:
        return load_module(source)
    except Exception as error:
        if file is not None:
            raise ModelError(f"model file {source!r} {stopped(error, file)}") from error
        raise ModelError(
            f"module {source!r} cannot be imported ({raised(error)}): "
            "run from the folder that holds it, or install its package. "
            f"Models by name: {', '.join(_known())}"
        ) from error


def call_factory(
    name: str, factory: Callable[..., object], classes: int, input_shape: Shape | None
) -> nn.Module:
    """What a user's factory makes, on the CPU; ``name`` is for messages.

    Layers that take their size from their input are made for ``input_shape``. Without classes
    ``num_classes`` is not passed.

    Raises:
        ModelError: the factory fails, or makes what cannot be searched.
    """
    offered: dict[str, object] = {"num_classes": classes, "input_shape": input_shape}
    if not classes:
        del offered["num_classes"]
    try:
        taken = inspect.signature(factory).parameters
        model = factory(**{key: value for key, value in offered.items() if key in taken})
    except Exception as error:
        raise ModelError(
            f"factory {name!r} failed with {raised(error)}; it is called with "
            f"{' and '.join(offered)} where it takes them, else with nothing"
        ) from error
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"factory {name!r} must return a torch.nn.Module, got {type(model).__name__}"
        )
    model = with_lazy_layers_made(model, input_shape)
    check_model(model)
    return model.cpu()
