"""The only importer of torchvision.

The torchvision wheel on PyPI is built for CUDA: beside a CPU-only torch its extension cannot load,
and the import stops with "operator torchvision::nms does not exist". Models, data sets and
transforms need none of those operators, so where the extension cannot load, and only there, the
schemas that the import asks for are declared first.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

from autoprune.errors import InputError

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []


@cache
def torchvision() -> ModuleType:
    """The torchvision package.

    Raises:
        InputError: torchvision is not installed.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("torchvision is not installed: install it with 'pip install torchvision'")
    if not extension_loads(Path(spec.submodule_search_locations[0])):
        _declare_schemas()
    return importlib.import_module("torchvision")


def extension_loads(package: Path) -> bool:
    """Whether the compiled operators in the package's folder can be loaded beside this torch."""
    libraries = [
        package / f"_C{suffix}"
        for suffix in importlib.machinery.EXTENSION_SUFFIXES
        if (package / f"_C{suffix}").is_file()
    ]
    for library in libraries:
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except (ImportError, OSError):
            continue
        return True
    return False


def _declare_schemas() -> None:
    if _declared:
        return
    # A library's schemas live only as long as the object that declared them.
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
