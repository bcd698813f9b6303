"""Weights from files, without pickle, and the hash that names them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn

from autoprune.errors import WeightsError

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights", "state_dict_ema")
_SHOWN = 5


def _read_torch(path: Path) -> object:
    return torch.load(path, map_location="cpu", weights_only=True)


_READERS: dict[str, Callable[[Path], object]] = {
    ".safetensors": load_file,
    ".pt": _read_torch,
    ".pth": _read_torch,
}


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a ``.safetensors``, ``.pt`` or ``.pth`` file into ``model``.

    Wrappers such as ``{"state_dict": ...}`` are opened and the prefix ``module.`` that
    DataParallel leaves is removed.

    Raises:
        WeightsError: the file cannot be read, or its tensors do not fit; names the keys. The
            model is untouched.
    """
    path = Path(path)
    state = _read(path)
    wrong = _misfits(model, state)
    if wrong.says:
        others = wrong.missing or wrong.unexpected
        raise WeightsError(
            f"weights {str(path)!r} do not fit {type(model).__name__}: {wrong.says}. "
            "Give the weights of this very architecture and number of classes",
            {} if others else wrong.shapes,
        )
    model.load_state_dict(state)


def state_hash(state: Mapping[str, torch.Tensor]) -> str:
    """sha256 over names, dtypes, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def check_weights_file(path: Path) -> None:
    """Raise WeightsError unless there is a file of a known kind; it is not read."""
    if not path.is_file():
        raise WeightsError(f"no weights file {str(path)!r}: give its path with --weights")
    if path.suffix not in _READERS:
        raise WeightsError(
            f"weights {str(path)!r}: expected a .safetensors, .pt or .pth file, got {path.suffix!r}"
        )


def save_weights(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a state dict as a ``.safetensors`` file, whole or not at all; raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(save({name: tensor.contiguous() for name, tensor in state.items()}))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _read(path: Path) -> dict[str, torch.Tensor]:
    check_weights_file(path)
    try:
        loaded = _READERS[path.suffix](path)
    except Exception as error:  # a torn file raises whatever its reader stumbles over
        raise WeightsError(
            f"weights {str(path)!r} cannot be read ({type(error).__name__}: {error}). Save a plain "
            "state dict, with safetensors or torch.save(model.state_dict(), path)"
        ) from error
    return _unwrap(loaded, path)


def _unwrap(loaded: object, path: Path) -> dict[str, torch.Tensor]:
    while isinstance(loaded, Mapping):
        inner = next((loaded[key] for key in _WRAPPERS if _is_mapping(loaded, key)), None)
        if inner is None:
            break
        loaded = inner
    tensors = (
        {str(key): value for key, value in loaded.items() if isinstance(value, torch.Tensor)}
        if isinstance(loaded, Mapping)
        else {}
    )
    if not tensors:
        raise WeightsError(
            f"weights {str(path)!r}: expected a state dict (names to tensors), "
            f"got {type(loaded).__name__} without tensors"
        )
    if all(name.startswith("module.") for name in tensors):
        return {name.removeprefix("module."): value for name, value in tensors.items()}
    return tensors


def _is_mapping(loaded: Mapping[object, object], key: str) -> bool:
    return isinstance(loaded.get(key), Mapping)


@dataclass(frozen=True)
class _Misfits:
    """Tensors of a state dict that a model cannot take.

    Args:
        shapes: tensor -> (shape expected, shape got).
    """

    missing: list[str]
    unexpected: list[str]
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def says(self) -> str:
        """Their names, by what is wrong; empty where nothing is."""
        shapes = [f"{name} (expected {e}, got {g})" for name, (e, g) in self.shapes.items()]
        found = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape", shapes),
        )
        return "; ".join(f"{what}: {_shown(names)}" for what, names in found if names)


def _misfits(model: nn.Module, state: Mapping[str, torch.Tensor]) -> _Misfits:
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    # A channel map, and a counter that evaluation never reads, have defaults of their own.
    optional = ("channel_map", "num_batches_tracked")
    return _Misfits(
        missing=[name for name in own if name not in state and not name.endswith(optional)],
        unexpected=[name for name in state if name not in own],
        shapes={
            name: (shape, tuple(state[name].shape))
            for name, shape in own.items()
            if name in state and shape != tuple(state[name].shape)
        },
    )


def _shown(names: list[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest
