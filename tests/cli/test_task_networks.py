"""Networks that return dicts, and parts of networks, are searched, exported and loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import task_networks
import torch
from safetensors.torch import load_file
from tiny_program import Said, expect_done, run_program

import autoprune

Program = Callable[..., Said]
FILE = Path(task_networks.__file__)
QUICK = (
    "--divisor 16 --budget macs=75% --trials 2 --steps 1 --race-steps 1 --batch-size 8 "
    "--finetune-epochs 1 --workers 1 --searcher random --unmeasured --db jobs.db"
)
SEGMENTATION = ("segmenter", "masks", "segmentation")
DETECTION = ("detector", "boxes", "detection")


def options(model: str, data: str, task: str) -> tuple[str, ...]:
    return ("--model", f"{FILE}:{model}", "--data", f"{FILE}:{data}", "--task", f"{FILE}:{task}")


def searched(names: tuple[str, str, str], folder: Path, *more: str) -> Any:
    words = ("search", *options(*names), *QUICK.split(), "--out", "bundle", "--json", *more)
    return expect_done(run_program(*words, folder=folder)).json


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("segmentation")
    return folder, searched(SEGMENTATION, folder)


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("detection")
    return folder, searched(DETECTION, folder, "--criterion", "taylor")


def verified(folder: Path) -> dict[str, Any]:
    found = expect_done(run_program("verify", "bundle", "--no-write", "--json", folder=folder)).json
    return {check["name"]: check["ok"] for check in found["checks"]}


def test_a_network_that_returns_a_dict_is_searched_and_exported(
    segmentation: tuple[Path, Any],
) -> None:
    folder, shown = segmentation
    assert shown["final"]["figure"]["name"] == "pixels_right"
    checks = verified(folder)
    assert checks["onnx numerics"] is True
    assert checks["check.safetensors"] is True
    model = (folder / "bundle/model.onnx").read_bytes()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_outputs()] == ["output", "output1"]
    loaded = autoprune.load(folder / "bundle")
    image = load_file(folder / "bundle/check.safetensors")["input"]
    found = session.run(None, {"input": image.numpy()})
    with torch.no_grad():
        outputs = loaded(image)
    for got, name in zip(found, ("out", "edge"), strict=True):
        torch.testing.assert_close(torch.from_numpy(got), outputs[name], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["features", "sequences"])
def test_inputs_that_are_no_images_are_searched(kind: str, tmp_path: Path) -> None:
    shown = searched((f"of_{kind}", kind, "regression"), tmp_path)
    assert shown["state"] == "finished"
    assert shown["best"]["macs"] <= 0.75 * shown["base"]["macs"]
    assert verified(tmp_path)["onnx numerics"] is True


def test_a_device_kit_runs_networks_of_several_outputs(segmentation: tuple[Path, Any]) -> None:
    folder, shown = segmentation
    words = ("export", shown["job"], "--kit", "kit.zip", "--db", "jobs.db")
    expect_done(run_program(*words, folder=folder))
    assert (folder / "kit.zip").exists()


def test_a_detectors_backbone_is_pruned_and_its_outputs_stay(detection: tuple[Path, Any]) -> None:
    folder, shown = detection
    layers = shown["best"]["layers"]
    narrowed = {name for name, layer in layers.items() if layer["keep_ratio"] < 1.0}
    assert narrowed
    assert all(name.startswith("backbone.") for name in narrowed)
    assert "head.classification_head.module_list.0" in layers
    for name in ("backbone.near.1.0", "backbone.far.1.0"):
        assert layers[name]["keep_ratio"] == 1.0
    assert shown["base"]["figure"]["name"] == "loss"
    schedule = json.loads((folder / "bundle/schedule.json").read_text())
    assert schedule["model"]["part"] == "backbone"


def test_the_exported_part_takes_what_the_detector_gives_it(detection: tuple[Path, Any]) -> None:
    folder, _ = detection
    assert verified(folder)["onnx numerics"] is True
    graph = onnx.load(folder / "bundle/model.onnx").graph
    shape = [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 3, 32, 32]
    assert [each.name for each in graph.output] == ["output", "output1"]


def test_a_pruned_detector_is_loaded_whole(detection: tuple[Path, Any]) -> None:
    folder, shown = detection
    loaded = autoprune.load(folder / "bundle")
    images, targets = task_networks.boxes()["val"][0]
    losses = loaded.train()(list(images), list(targets))
    assert set(losses) == {"bbox_regression", "classification"}
    state = load_file(folder / "bundle/model.safetensors")
    narrowed = next(n for n, layer in shown["best"]["layers"].items() if layer["keep_ratio"] < 1.0)
    assert len(state[f"{narrowed}.weight"]) < 32


def test_a_detector_is_probed_and_scores_the_same_in_processes(
    detection: tuple[Path, Any], tmp_path: Path
) -> None:
    folder, _ = detection
    table = json.loads((folder / "bundle/schedule.json").read_text())["hashes"]["table"]
    words = ("latency", "export", table, "--db", "jobs.db", "--out", str(tmp_path / "table.json"))
    expect_done(run_program(*words, folder=folder))
    digests = set()
    for workers in ("1", "2"):
        here = tmp_path / workers
        here.mkdir()
        solver = ("--searcher", "solver", "--trials", "3", "--table", str(tmp_path / "table.json"))
        shown = searched(DETECTION, here, *solver, "--workers", workers)
        assert shown["probes"]["count"] > 0
        digests.add(shown["digest"])
    assert len(digests) == 1


def test_a_table_measured_for_the_part_is_one_that_a_search_can_use(
    detection: tuple[Path, Any], tmp_path: Path
) -> None:
    model, task = f"{FILE}:detector", f"{FILE}:detection"
    words = ("--model", model, "--task", task, "--input", "3x32x32", "--divisor", "16")
    words = ("latency", "measure", *words, "--out", "there.json")
    expect_done(run_program(*words, folder=tmp_path))
    shown = searched(DETECTION, tmp_path, "--table", "there.json")
    assert shown["state"] == "finished"
    told = json.loads((tmp_path / "bundle/schedule.json").read_text())
    calibrations = json.loads((tmp_path / "there.json").read_text())["calibrations"]
    assert told["hashes"]["calibration"] in json.dumps(calibrations)


REFUSED = {
    "no_part": ("part 'body'", "SSD", "backbone"),
    "part_of_features": ("part 'anchor_generator'", "image", "name a submodule"),
    "whole_detector": ("SSD",),
}
"""The whole detector neither runs everywhere (torchvision's compiled operators) nor is exported."""


@pytest.mark.parametrize("name", REFUSED)
def test_a_part_that_cannot_be_used_is_named(name: str, program: Program) -> None:
    said = program("check", *options("detector", "boxes", name), "--json")
    assert said.code == 2
    for word in REFUSED[name]:
        assert word in said.json["error"]
