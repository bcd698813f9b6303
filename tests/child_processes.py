"""What processes run below another one (Linux)."""

from __future__ import annotations

from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Children of any thread of a process; a thread that ends meanwhile has none."""
    return [child for task in Path(f"/proc/{pid}/task").glob("*") for child in _started_by(task)]


def _started_by(task: Path) -> list[int]:
    try:
        return [int(child) for child in (task / "children").read_text().split()]
    except OSError:
        return []
