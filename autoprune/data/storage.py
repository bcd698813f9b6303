"""A dataset as one safetensors file: the cache of decoded images, and what workers read."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from autoprune.data.dataset import Augmentation, Dataset
from autoprune.data.source import Source
from autoprune.data.split import Split
from autoprune.errors import DataError, StorageError

FORMAT = "autoprune-dataset"
VERSION = 1


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write ``dataset`` so that a reader finds the whole file or none."""
    tensors = {}
    for name, split in dataset.splits.items():
        tensors[f"{name}.images"] = split.images.contiguous()
        tensors[f"{name}.labels"] = split.labels.contiguous()
    about = {
        "format": FORMAT,
        "version": VERSION,
        "name": dataset.name,
        "classes": dataset.classes,
        "mean": dataset.mean,
        "std": dataset.std,
        "flip": dataset.augmentation.flip,
        "crop_padding": dataset.augmentation.crop_padding,
        "val_carved": dataset.val_carved,
    }
    # One metadata key: safetensors writes several in an order of its own.
    metadata = {"autoprune": json.dumps(about, sort_keys=True)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, temporary, metadata=metadata)
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write the decoded data to {path}: {error}; free some space or choose another "
            "folder"
        ) from error


def read_dataset(path: Path, *, name: str | None = None) -> Dataset:
    """Read what :func:`write_dataset` wrote; raises DataError for anything else."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("autoprune", "{}"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"cannot read stored data from {path}: {error}") from None
    if about.get("format") != FORMAT or about.get("version") != VERSION:
        raise DataError(
            f"{path} is not a dataset stored by this version of autoprune: expected {FORMAT} "
            f"version {VERSION}, got {about.get('format')} version {about.get('version')}"
        )
    return _assemble(about, tensors, name or about["name"])


def load_stored(source: Source) -> Dataset:
    """``stored:FILE``, a file written by :func:`write_dataset`."""
    source.check_options()
    return read_dataset(Path(source.argument).expanduser(), name=source.name)


def _assemble(about: dict[str, Any], tensors: dict[str, torch.Tensor], name: str) -> Dataset:
    splits = {
        key: Split(tensors[f"{key}.images"], tensors[f"{key}.labels"])
        for key in ("train", "val", "test")
        if f"{key}.images" in tensors
    }
    return Dataset(
        name=name,
        classes=tuple(about["classes"]),
        train=splits["train"],
        val=splits["val"],
        test=splits.get("test"),
        mean=tuple(about["mean"]),
        std=tuple(about["std"]),
        augmentation=Augmentation(about["flip"], about["crop_padding"]),
        val_carved=about["val_carved"],
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
