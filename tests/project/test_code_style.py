"""ruff, mypy and import-linter find nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", [["ruff", "check", "."], ["mypy"], ["lint-imports"]], ids=str)
def test_the_linters_are_content(command: list[str], root: Path) -> None:
    program = Path(sys.executable).with_name(command[0])
    found = subprocess.run([program, *command[1:]], cwd=root, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
