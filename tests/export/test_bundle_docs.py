"""The Python in docs/bundle.md runs as it stands, on a real bundle."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from export_case import SmallResNet

from autoprune.export import files
from autoprune.export.schedule import Schedule

DOCS = Path(__file__).parents[2] / "docs" / "bundle.md"
BLOCKS = re.findall(r"<!-- tested -->\n```python\n(.*?)```", DOCS.read_text(), re.DOTALL)


def _run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {"make_model": SmallResNet}
    exec(compile(block, str(DOCS), "exec"), names)
    return names


def test_every_block_runs_beside_a_bundle(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle.parent)
    loaded, onnx, schedule, verified = (_run(block) for block in BLOCKS)
    assert loaded["model"].conv1.out_channels == 4
    assert onnx["scores"].shape == (1, 5)
    assert schedule["schedule"]["format"] == "autoprune.schedule"
    assert verified["result"].passes


def test_every_file_and_field_is_described() -> None:
    text = DOCS.read_text()
    named = [files.SCHEDULE, *files.HASHED, *Schedule.model_fields]
    assert [name for name in named if f"`{name}`" not in text] == ["format", "version"]
