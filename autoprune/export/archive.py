"""Zip archives that are the same bytes for the same files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


def archive_of(folder: Path) -> bytes:
    """The files of a folder, as a bundle is kept and sent."""
    return zip_of({path.name: path.read_bytes() for path in sorted(folder.iterdir())})


def zip_of(contents: Mapping[str, bytes]) -> bytes:
    """Files by name as a compressed zip archive, in the order they are given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            # An entry of its own is stored as it is, whatever the archive's compression.
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _READABLE
            archive.writestr(entry, content)
    return buffer.getvalue()
