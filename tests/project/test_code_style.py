"""ruff, mypy and import-linter find nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", ["ruff check .", "mypy", "lint-imports"])
def test_the_linters_are_content(command: str, root: Path) -> None:
    name, *arguments = command.split()
    program = Path(sys.executable).with_name(name)
    found = subprocess.run([program, *arguments], cwd=root, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
