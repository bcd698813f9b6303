"""The README's example runs: a network and data of one's own, searched, exported and loaded."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from example_runs import run

QUICK = "--divisor 16 --trials 2 --steps 1 --race-steps 1 --finetune-epochs 0 --workers 1"


@pytest.fixture(scope="module")
def example(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its network trained."""
    folder = tmp_path_factory.mktemp("example") / "own_model"
    shutil.copytree(root / "examples/own_model", folder)
    run([sys.executable, "my_model.py"], folder)
    return folder


def test_a_network_of_ones_own_is_searched_exported_and_loaded(example: Path, program: str) -> None:
    shown = json.loads(run([program, "search", "job.yaml", *QUICK.split(), "--json"], example))
    assert shown["state"] == "finished"
    assert shown["trials"] == 2
    assert shown["best"]["measured_latency_s"] <= shown["budget"]["latency_s"]
    bundle = example / "autoprune-out" / shown["job"]
    assert {path.name for path in bundle.iterdir()} >= {
        "schedule.json",
        "model.safetensors",
        "model.onnx",
        "report.html",
    }
    load = (
        "import autoprune, torch; from my_model import network; "
        f"print(autoprune.load({str(bundle)!r}, model=network)(torch.zeros(3, 1, 8, 8)).shape)"
    )
    assert "[3, 10]" in run([sys.executable, "-c", load], example)


def test_the_readme_gives_the_options_of_the_examples_job_file(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    words = text.partition("autoprune search --model")[2].partition("\n\n")[0]
    words = f"--model {words}".replace("\\\n", " ")
    given = dict(zip(words.split()[::2], words.split()[1::2], strict=True))
    job = yaml.safe_load((root / "examples/own_model/job.yaml").read_text(encoding="utf-8"))
    assert given == {f"--{name}": str(value) for name, value in job.items()}


@pytest.mark.soak
def test_the_example_runs_from_python(example: Path) -> None:
    said = run([sys.executable, "search_in_python.py"], example)
    assert "of the latency" in said
    assert (example / "pruned" / "schedule.json").exists()
