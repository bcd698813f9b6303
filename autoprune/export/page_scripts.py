"""The scripts that draw charts, for the service's page and for files that stand alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from markupsafe import Markup

_FOLDER = Path(__file__).with_name("scripts")


@cache
def chart_scripts() -> Mapping[str, str]:
    """Name -> source of every script: modules without imports, so that one can follow another."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.js"))}


def inlined_scripts() -> Markup:
    """All of them, to be written into a module of a page that loads nothing."""
    return Markup("\n".join(chart_scripts().values()))


@cache
def plotly_script() -> Markup:
    """The source of plotly.js, for a page that loads nothing."""
    # Plotly takes half a second to import, and nothing else here needs it.
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())
