"""Datasets by name."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from autoprune.data.cifar10 import load_cifar10
from autoprune.data.dataset import Dataset
from autoprune.data.digits import load_digits
from autoprune.data.factories import is_reference, load_factory
from autoprune.data.imagefolder import load_imagefolder
from autoprune.data.source import Loader, parse_source
from autoprune.data.storage import load_stored
from autoprune.data.task import Task
from autoprune.errors import UnknownNameError

ENTRY_POINTS = "autoprune.data"

LOADERS: dict[str, Loader] = {
    "digits": load_digits,
    "cifar10": load_cifar10,
    "imagefolder": load_imagefolder,
    "stored": load_stored,
}
PATTERNS = (
    "digits",
    "cifar10:ROOT",
    "imagefolder:DIR",
    "stored:FILE",
    "package.module:factory",
    "path/file.py:factory",
)


def load_data(name: str, *, cache_dir: Path | None = None, task: Task | None = None) -> Dataset:
    """The dataset of that name.

    Args:
        name: ``digits``, ``cifar10:ROOT``, ``imagefolder:DIR``, ``stored:FILE``, a name another
            package registered under the entry points ``autoprune.data``, or a factory of the
            user's, ``package.module:factory`` or ``path/file.py:factory``. Options follow a
            question mark: ``imagefolder:DIR?image_size=64``.
        cache_dir: where decoded images are kept; None decodes them every time.
        task: what the network is for, where that is not classification.

    Raises:
        UnknownNameError: no such name; lists what there is.
        DataError: the data cannot be read, or cannot be used for classification without a task.
    """
    source = parse_source(name, cache_dir)
    kind = name.partition("?")[0].partition(":")[0]
    if kind in LOADERS:
        return LOADERS[kind](source).for_task(task)
    installed = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if kind in installed:
        loader: Loader = installed[kind].load()
        return loader(source).for_task(task)
    if is_reference(name):
        return load_factory(name, task)
    raise UnknownNameError("data", name, [*PATTERNS, *installed])
