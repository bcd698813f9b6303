"""Weights as bytes: safetensors, with the kept indices inside. The same content, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from autoprune.errors import WeightsError
from autoprune.pruning.space import Kept

FORMAT = "autoprune-checkpoint"
VERSION = 1
METADATA_KEY = "autoprune"
HEADER_LENGTH_BYTES = 8

State = dict[str, torch.Tensor]


def pack(
    state: Mapping[str, torch.Tensor],
    kept: Kept | None,
    extra: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Weights, kept indices and a few words as one safetensors file.

    Args:
        state: a state dict; tied tensors are stored once per name.
        kept: group name -> units kept; None for an unpruned network.
        extra: anything else worth keeping, as text.
    """
    about = {
        "format": FORMAT,
        "version": VERSION,
        "kept": None if kept is None else {name: kept[name].tolist() for name in kept},
        "extra": dict(extra),
    }
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in state.items()
    }
    # One metadata key: safetensors writes several in an order of its own, and the bytes are hashed.
    return save(tensors, metadata={METADATA_KEY: json.dumps(about, sort_keys=True)})


def unpack(data: bytes) -> tuple[State, Kept | None, dict[str, str]]:
    """(state, kept, extra) as they were packed; raises WeightsError for anything else."""
    try:
        about = _read_about(data)
        state: State = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{len(data)} bytes that are not a checkpoint of autoprune: {error}"
        ) from None
    if about.get("format") != FORMAT or about.get("version") != VERSION:
        raise WeightsError(
            f"expected {FORMAT} version {VERSION}, "
            f"got {about.get('format')} version {about.get('version')}"
        )
    kept = about["kept"]
    if kept is not None:
        kept = {name: torch.tensor(units, dtype=torch.int64) for name, units in kept.items()}
    return state, kept, about["extra"]


def _read_about(data: bytes) -> dict[str, Any]:
    """The metadata of a safetensors file: length of the header, header as JSON, tensors."""
    length = int.from_bytes(data[:HEADER_LENGTH_BYTES], "little")
    header = json.loads(data[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + length])
    about: dict[str, Any] = json.loads(header["__metadata__"][METADATA_KEY])
    return about
