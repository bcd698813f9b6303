"""The page's files, read once: its own, those that draw charts, and plotly.js of its package."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from autoprune.export.page_scripts import chart_scripts

PLOTLY: Final = "plotly.js"
_WRITES_STYLE = re.compile(r'if\(!document\.getElementById\("[0-9a-f]{64}"\)\)')
_STATIC = Path(__file__).with_name("static")
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class PageFile:
    """One file of the page.

    Args:
        content: as it is, not compressed.
    """

    media_type: str
    content: bytes

    @cached_property
    def tag(self) -> str:
        """What tells one content from another (an ETag)."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    @cached_property
    def compressed(self) -> bytes:
        """The content in gzip: a third of it, and the same bytes each time."""
        return gzip.compress(self.content, 6, mtime=0)


def read_files() -> Mapping[str, PageFile]:
    """Name -> file; everything a browser may ask for, so that no path is ever looked up."""
    found = {
        path.name: PageFile(_MEDIA_TYPES[path.suffix], path.read_bytes())
        for path in sorted(_STATIC.iterdir())
        if path.suffix in _MEDIA_TYPES
    }
    scripts = {**chart_scripts(), PLOTLY: _plotly_script()}
    return found | {
        name: PageFile(_MEDIA_TYPES[".js"], source.encode()) for name, source in scripts.items()
    }


def _plotly_script() -> str:
    """Plotly's script, less the style sheet of its maps, which it writes into the page at once.

    The page's policy forbids that, and the page draws no maps.
    """
    # Imported late: plotly takes long, and its script alone is needed.
    from plotly.offline import get_plotlyjs

    return _WRITES_STYLE.sub("if(!1)", get_plotlyjs())
