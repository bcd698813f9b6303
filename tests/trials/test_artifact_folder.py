"""Files by content: durable, checked, and clear when the disk is not."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path

import pytest

from autoprune.errors import StorageError
from autoprune.trials.artifacts import ArtifactFolder


@pytest.fixture
def folder(tmp_path: Path) -> ArtifactFolder:
    return ArtifactFolder(tmp_path / "made" / "when needed")


def test_the_name_is_the_hash_of_the_content(folder: ArtifactFolder) -> None:
    name = folder.put(b"abc")
    assert name == hashlib.sha256(b"abc").hexdigest()
    assert folder.get(name) == b"abc"
    assert folder.put(b"") != name
    assert [path.name for path in folder.path.iterdir() if ".partial" in path.name] == []


def test_content_is_on_disk_before_it_has_its_name(
    folder: ArtifactFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    fsync = os.fsync
    name = hashlib.sha256(b"abc").hexdigest()

    def watch(descriptor: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        seen.append((target == folder.path, folder.exists(name)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    folder.put(b"abc")
    assert seen == [(False, False), (True, True)], "file, then rename, then folder"


@pytest.mark.parametrize("content", [b"", b"ab", b"abd"])
def test_a_torn_file_is_never_returned_and_is_mended_by_putting_it_again(
    folder: ArtifactFolder, content: bytes
) -> None:
    name = folder.put(b"abc")
    (folder.path / name).write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        folder.get(name)
    folder.put(b"abc")
    assert folder.get(name) == b"abc"


def test_a_missing_file_is_named_with_its_folder(folder: ArtifactFolder) -> None:
    with pytest.raises(StorageError, match=f"{'0' * 64}.*when needed"):
        folder.get("0" * 64)


@pytest.mark.parametrize("name", ["", "../secret", "a" * 63, "A" * 64])
def test_only_hashes_name_artifacts(folder: ArtifactFolder, name: str) -> None:
    with pytest.raises(StorageError, match="no artifact"):
        folder.get(name)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EACCES, "make it writable"),
    ],
)
def test_a_disk_that_takes_no_more_is_said_and_leaves_nothing(
    folder: ArtifactFolder, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=f"{os.strerror(code)}; {remedy}"):
        folder.put(b"abc")
    assert list(folder.path.iterdir()) == []


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="make it writable"):
        ArtifactFolder(tmp_path / "file").put(b"abc")


def test_leftovers_of_a_crash_are_swept_and_files_in_the_making_are_not(
    folder: ArtifactFolder,
) -> None:
    assert folder.sweep() == 0
    name = folder.put(b"abc")
    old, young = (folder.path / f"{name}.{n}.partial" for n in range(2))
    for partial in (old, young):
        partial.write_bytes(b"a")
    yesterday = time.time() - 86400
    os.utime(old, (yesterday, yesterday))
    assert folder.sweep() == 1
    assert sorted(folder.path.iterdir()) == sorted([folder.path / name, young])


def test_deleting_twice_is_no_error(folder: ArtifactFolder) -> None:
    name = folder.put(b"abc")
    folder.delete(name)
    folder.delete(name)
    assert not folder.exists(name)
