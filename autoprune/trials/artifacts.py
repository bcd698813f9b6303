"""Files named by the hash of their content: finetuned weights, checkpoints of the finetune."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from autoprune.errors import StorageError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PARTIAL = ".partial"
LEFTOVER_AGE_S = 3600.0
"""A partial file older than this belongs to nobody alive."""


class ArtifactFolder:
    """A folder that several processes may write to at once; a file in it is whole or absent.

    Args:
        path: made when the first artifact is put.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, content: bytes) -> str:
        """Store bytes durably: temporary name, fsync, rename, fsync of the folder.

        Returns:
            Their sha256, the name to get them by.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
        """
        name = hashlib.sha256(content).hexdigest()
        partial = self.path / f"{name}.{secrets.token_hex(4)}{_PARTIAL}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self._holds(name):
                _write_durably(partial, content)
                partial.replace(self.path / name)
            _fsync_folder(self.path)  # also of a file that another writer has just renamed
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise self._unwritable(error) from error
        return name

    def get(self, name: str) -> bytes:
        """The bytes put under a hash.

        Raises:
            StorageError: the file is missing, or is not what was put.
        """
        with self.open(name) as file:
            return file.read()

    def open(self, name: str) -> BinaryIO:
        """The file put under a hash, at its start; close it.

        Raises:
            StorageError: the file is missing, or is not what was put.
        """
        try:
            file = self._file(name).open("rb")
        except OSError as error:
            raise self._unreadable(name, error) from error
        try:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
        except OSError as error:
            file.close()
            raise self._unreadable(name, error) from error
        if found != name:
            file.close()
            raise StorageError(
                f"artifact {name} in {self.path} is damaged: delete the file, or restore it from a "
                "backup; weights of trials are then made again"
            )
        return file

    def exists(self, name: str) -> bool:
        """Whether the artifact is there; its content is checked by :meth:`get`."""
        return self._file(name).is_file()

    def delete(self, name: str) -> None:
        """Remove an artifact; it may be gone already."""
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def sweep(self, older_than_s: float = LEFTOVER_AGE_S) -> int:
        """Remove partial files that a crash left behind; returns how many.

        Args:
            older_than_s: younger ones may still be written by another process.
        """
        removed = 0
        for partial in self.path.glob(f"*{_PARTIAL}"):
            try:
                if time.time() - partial.stat().st_mtime >= older_than_s:
                    partial.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer finished it meanwhile
        return removed

    def _file(self, name: str) -> Path:
        if not _SHA256.fullmatch(name):
            raise StorageError(f"{name!r} is no artifact: expected a sha256 of 64 hex digits")
        return self.path / name

    def _holds(self, name: str) -> bool:
        try:
            return hashlib.sha256(self._file(name).read_bytes()).hexdigest() == name
        except OSError:
            return False

    def _unreadable(self, name: str, error: OSError) -> StorageError:
        return StorageError(
            f"artifact {name} cannot be read from {self.path}: {error.strerror}. Name the job's "
            "artifact folder with --artifacts, or restore it from a backup"
        )

    def _unwritable(self, error: OSError) -> StorageError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free space there" if full else "make it writable, or name another one"
        return StorageError(
            f"the artifact folder {self.path} could not be written: {error.strerror}; "
            f"{remedy}, then resume the job"
        )


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _fsync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
