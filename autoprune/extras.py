"""Packages that only some commands need, and the command that installs them."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import requires
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def install_command(extra: str) -> str:
    """The command line that installs an extra for this Python, from wherever it is typed.

    A checkout is installed again with the extra and the versions it is tested with. A wheel is no
    place to install from, so there it is the extra's packages themselves.
    """
    pip = (sys.executable, "-m", "pip", "install")
    if (_ROOT / "pyproject.toml").exists() and (_ROOT / "constraints.txt").exists():
        return shlex.join([*pip, "-c", str(_ROOT / "constraints.txt"), "-e", f"{_ROOT}[{extra}]"])
    return shlex.join([*pip, *_packages(extra)])


def _packages(extra: str) -> list[str]:
    wanted = re.compile(rf"^(?P<package>[^;]+?) *; *extra == ['\"]{re.escape(extra)}['\"]$")
    found = (wanted.match(line) for line in requires("autoprune") or [])
    return [match["package"] for match in found if match]
