"""`autoprune --version`, and what a bug report needs beside it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Annotated

import typer

_BESIDE = ("torch", "onnxruntime")


def versions() -> str:
    """This program, Python, and the packages that networks are run by."""
    beside = ", ".join(f"{name} {version(name)}" for name in _BESIDE)
    return f"autoprune {version('autoprune')} (Python {platform.python_version()}, {beside})"


def _print(asked: bool) -> None:
    if asked:
        print(versions())
        raise typer.Exit


def program(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print, is_eager=True)
    ] = False,
) -> None:
    """Finds how many channels to keep in every layer so that a network meets a latency budget."""
