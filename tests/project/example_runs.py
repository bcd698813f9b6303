"""The commands of an example, run in a copy of its folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def run(command: list[str], folder: Path) -> str:
    """What a command says that must succeed; it shares no cache with other folders."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "AUTOPRUNE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
