"""The program tells its version, and how a package that it lacks is installed."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from autoprune import extras


def test_the_version_stands_with_those_a_bug_report_needs(program: str) -> None:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith(f"autoprune {version('autoprune')} (Python 3.")
    assert f"torch {version('torch')}" in shown.stdout
    assert shown.stdout.count("\n") == 1


def test_a_checkout_is_installed_again_with_the_extra(root: Path) -> None:
    words = shlex.split(extras.install_command("server"))
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    assert words[4:] == ["-c", str(root / "constraints.txt"), "-e", f"{root}[server]"]


def test_no_page_and_no_message_installs_from_an_index_that_has_nothing(root: Path) -> None:
    pages = [*root.glob("*.md"), *root.glob("docs/**/*.md")]
    sources = [p for part in ("autoprune", "searchers") for p in (root / part).rglob("*.py")]
    assert not [path for path in [*pages, *sources] if "install 'autoprune[" in path.read_text()]
