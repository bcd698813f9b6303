"""The examples of other tasks run: trained, checked, searched and exported by their job files."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from example_runs import run

EXAMPLES = {
    "regression": ("centres.py", "pixels_off"),
    "segmentation": ("shapes.py", "mean_iou"),
    "detection": ("boxes.py", "loss"),
}
QUICK = (
    "--budget macs=70% --trials 2 --steps 1 --race-steps 1 --finetune-epochs 0 --workers 1 "
    "--searcher random"
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_is_trained_searched_and_exported(
    name: str, root: Path, program: str, tmp_path: Path
) -> None:
    file, metric = EXAMPLES[name]
    folder = tmp_path / name
    shutil.copytree(
        root / "examples" / name, folder, ignore=shutil.ignore_patterns("*.safetensors")
    )
    run([sys.executable, file], folder)
    shown = json.loads(run([program, "search", "job.yaml", *QUICK.split(), "--json"], folder))
    assert shown["state"] == "finished"
    assert shown["base"]["figure"]["name"] == metric
    assert shown["best"]["macs"] <= 0.7 * shown["base"]["macs"]
    bundle = folder / "autoprune-out" / shown["job"]
    assert {path.name for path in bundle.iterdir()} >= {"model.safetensors", "model.onnx"}
