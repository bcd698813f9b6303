"""A bundle as one file, to be kept or sent."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


def archive_of(folder: Path) -> bytes:
    """The files of a folder as a zip archive; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(path.name, _LONG_AGO)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _READABLE
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
