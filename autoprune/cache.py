"""Where what can be made again is kept: trained default weights, decoded images."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$AUTOPRUNE_CACHE``, else ``autoprune`` in the user's cache folder; made when missing."""
    named = os.environ.get("AUTOPRUNE_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(named) if named else Path(base) / "autoprune"
    folder = folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
