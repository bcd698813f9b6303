"""What is in the repository speaks of the project alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

# Written so that this file does not match itself.
_FOREIGN = re.compile(rb"(?<![\w.$}])/(?:work|root|home|Users)[/]|/tmp/[w]\b")
_SECRET = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY|(?<!\w)(?:ghp|gho|hf|sk)_[A-Za-z0-9]{20}")


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[Path]:
    """Files that git would commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    files = [root / name for name in listed.stdout.split("\0") if name]
    return [path for path in files if path.is_file()]


def test_no_file_names_a_path_of_the_machine_it_was_written_on(
    tracked: list[Path], root: Path
) -> None:
    found = [
        f"{path.relative_to(root)}: {match[0].decode()}"
        for path in tracked
        if (match := _FOREIGN.search(path.read_bytes()))
    ]
    assert found == []


def test_no_file_holds_a_secret(tracked: list[Path], root: Path) -> None:
    found = [path.relative_to(root) for path in tracked if _SECRET.search(path.read_bytes())]
    assert found == []


def test_no_built_thing_is_tracked(tracked: list[Path], root: Path) -> None:
    built = {".pyc", ".whl", ".so", ".db-wal", ".db-shm", ".pkl"}
    assert [path.relative_to(root) for path in tracked if path.suffix in built] == []
