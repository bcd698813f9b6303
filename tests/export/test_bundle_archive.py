"""A bundle as one zip archive."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from autoprune.export.archive import archive_of


def test_the_archive_holds_every_file_and_the_same_files_give_the_same_bytes(
    tmp_path: Path,
) -> None:
    contents = {"schedule.json": b"{}", "model.onnx": bytes(range(256)) * 40}
    archives = []
    for number, names in enumerate((sorted(contents), sorted(contents, reverse=True))):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(contents[name])
            os.utime(folder / name, (1e9 + number, 1e9 + number))
        archives.append(archive_of(folder))
    assert archives[0] == archives[1]
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents
    (folder / "model.onnx").write_bytes(b"other")
    assert archive_of(folder) != archives[0]
