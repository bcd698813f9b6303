"""A folder of images: ``DIR/train/<class>/<image>``, and the same under val/ and test/."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from autoprune.data.dataset import Augmentation, Dataset
from autoprune.data.decoding import common_size, decode, read_sizes
from autoprune.data.source import Source
from autoprune.data.split import Split
from autoprune.data.splitting import carve_validation
from autoprune.data.storage import read_dataset, write_dataset
from autoprune.errors import DataError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp"))
SMALL = 64
"""Images up to this many pixels a side are cropped at random with 4 pixels of padding."""

DECODER_VERSION = 1
"""Raised whenever the same files would give other tensors: it is part of the cache's key."""


@dataclass(frozen=True)
class ImageFile:
    """One image on disk; size and time say whether a cached copy is still good."""

    path: Path
    label: int
    bytes: int
    modified_ns: int


def load_imagefolder(source: Source) -> Dataset:
    """``imagefolder:DIR``, with the options ``image_size``, ``mean`` and ``std``.

    Classes are the folders under train/, by name. Where there is no val/, a tenth of the training
    images becomes it. Decoded images are kept in ``source.cache_dir`` until a file changes.
    """
    source.check_options("image_size", "mean", "std")
    root = source.folder()
    classes = _class_names(root)
    files = {name: _scan(root / name, classes) for name in _split_names(root)}
    if source.cache_dir is None:
        return _read(source, classes, files)
    cached = source.cache_dir / f"imagefolder-{_key(source, classes, files)}.safetensors"
    if cached.is_file():
        try:
            return read_dataset(cached, name=source.name)
        except DataError:
            cached.unlink(missing_ok=True)
    dataset = _read(source, classes, files)
    write_dataset(dataset, cached)
    return dataset


def _class_names(root: Path) -> tuple[str, ...]:
    train = root / "train"
    expected = f"expected {root}/train/<class>/<image>, and the same under val/ and test/"
    if not train.is_dir():
        raise DataError(f"no folder 'train' in {root}: {expected}")
    names = sorted(_folders(train))
    if len(names) < 2:
        found = f"only the class {names[0]!r}" if names else "no class folder"
        raise DataError(f"{found} in {train}, at least two are needed: {expected}")
    return tuple(names)


def _split_names(root: Path) -> list[str]:
    return ["train", *(name for name in ("val", "test") if (root / name).is_dir())]


def _folders(parent: Path) -> list[str]:
    return [
        entry.name
        for entry in parent.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    ]


def _scan(folder: Path, classes: Sequence[str]) -> list[ImageFile]:
    strangers = sorted(set(_folders(folder)) - set(classes))
    if strangers:
        raise DataError(
            f"{folder / strangers[0]} is no class: the train folder has none of that name"
        )
    files = []
    for label, name in enumerate(classes):
        found = _images_under(folder / name, label)
        if not found and folder.name == "train":
            raise DataError(f"the class folder {folder / name} holds no image ({_suffixes()})")
        files += found
    if not files:
        raise DataError(f"{folder} holds no image ({_suffixes()}) in any class folder")
    return files


def _suffixes() -> str:
    return ", ".join(sorted(SUFFIXES))


def _images_under(folder: Path, label: int) -> list[ImageFile]:
    files = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            status = path.stat()
            files.append(ImageFile(path, label, status.st_size, status.st_mtime_ns))
    return files


def _key(source: Source, classes: Sequence[str], files: dict[str, list[ImageFile]]) -> str:
    listing = {
        name: [[str(file.path), file.label, file.bytes, file.modified_ns] for file in found]
        for name, found in files.items()
    }
    options = dict(sorted(source.options.items()))
    said = json.dumps([DECODER_VERSION, options, list(classes), listing])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _read(source: Source, classes: tuple[str, ...], files: dict[str, list[ImageFile]]) -> Dataset:
    paths = {name: [file.path for file in found] for name, found in files.items()}
    sizes = [size for found in paths.values() for size in read_sizes(found)]
    size = common_size(sizes, _image_size(source))
    splits = {
        name: Split(decode(paths[name], size), torch.tensor([file.label for file in found]))
        for name, found in files.items()
    }
    train, val = splits["train"], splits.get("val")
    carved = val is None
    if val is None:
        train, val = carve_validation(train)
    padding = 4 if max(size) <= SMALL else 0
    return Dataset(
        name=source.name,
        classes=classes,
        train=train,
        val=val,
        test=splits.get("test"),
        mean=source.numbers("mean", MEAN),
        std=source.numbers("std", STD),
        augmentation=Augmentation(flip=True, crop_padding=padding),
        val_carved=carved,
    )


def _image_size(source: Source) -> int | None:
    text = source.options.get("image_size")
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise DataError(f"data {source.name!r}: image_size must be pixels, got {text!r}")
    return int(text)
