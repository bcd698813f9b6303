"""Files that cannot be used: weights, data, job files, tables, folders to write to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_net import network
from tiny_program import NETWORK, TINY, FinishedJob, Run, expect_done

Refused = Callable[..., str]
Tiny = tuple[str, ...]


def test_weights_that_do_not_fit_are_refused_by_their_keys(
    refused: Refused, tmp_path: Path
) -> None:
    state = network(10).state_dict()
    state["strange.weight"] = state.pop("second.0.weight")
    state["classifier.bias"] = torch.zeros(7)
    save_file(state, tmp_path / "w.safetensors")
    refused(
        2,
        ("missing: second.0.weight", "unexpected: strange.weight", "classifier.bias", "(7,)"),
        *("search", *NETWORK, "--weights", "w.safetensors"),
    )


def test_missing_weights_are_refused(refused: Refused) -> None:
    refused(2, ("absent.pt", "--weights"), "search", *NETWORK, "--weights", "absent.pt")


def test_weights_that_are_pickled_code_are_refused(refused: Refused, tmp_path: Path) -> None:
    torch.save(network(10), tmp_path / "whole.pt")
    refused(2, ("whole.pt", "state dict"), "search", *NETWORK, "--weights", "whole.pt")


def test_weights_that_are_not_numbers_are_refused(
    refused: Refused, tmp_path: Path, tiny: Tiny
) -> None:
    state = network(10).state_dict()
    state["classifier.bias"] = torch.full((10,), float("nan"))
    save_file(state, tmp_path / "w.safetensors")
    refused(2, ("nan", "check its weights"), "search", *tiny, "--weights", "w.safetensors")


def test_a_data_folder_without_classes_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "images" / "train").mkdir(parents=True)
    refused(2, ("no class folder", "train/<class>"), "search", "--data", "imagefolder:images")


def test_a_missing_data_folder_is_refused(refused: Refused) -> None:
    refused(2, ("there is no folder absent",), "search", "--data", "imagefolder:absent")


def test_a_broken_image_is_named(refused: Refused, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        folder = tmp_path / "images" / "train" / name
        folder.mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number}.png")
    broken = tmp_path / "images" / "train" / "dog" / "2.png"
    broken.write_bytes(broken.read_bytes()[:40])
    refused(2, ("train/dog/2.png",), "search", "--data", "imagefolder:images")


def test_a_job_file_that_is_not_yaml_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("budget: [50%\n")
    refused(2, ("job.yaml", "not YAML"), "search", "job.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bugdet: 50%", ("unknown field 'bugdet'", "budget")),
        ("trials: many", ("trials", "whole number", "'many'")),
        ("fidelity: {stepz: 3}", ("fidelity.stepz",)),
        ("budget: 50", ("'50'", "ms")),
        ("budget: [50%, 40%]", ("twice",)),
        ("workers: 0", ("workers", "0")),
        ("searcher_options: {colour: red}", ("solver", "'colour'", "objective")),
        ("{searcher: legr, searcher_options: {mutated: 7}}", ("mutated",)),
        ("1: 2", ("job.yaml",)),
        ("- budget", ("list",)),
        ("just words", ("str",)),
    ],
)
def test_a_job_file_says_which_field_is_wrong(
    text: str, says: tuple[str, ...], refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "job.yaml").write_text(text)
    refused(2, says, "search", "job.yaml", *NETWORK)


def test_a_job_file_that_is_missing_or_no_text_is_refused(refused: Refused, tmp_path: Path) -> None:
    refused(2, ("absent.yaml",), "search", "absent.yaml")
    (tmp_path / "job.yaml").write_bytes(b"\xff\xfe\x00budget")
    refused(2, ("job.yaml",), "search", "job.yaml")


def test_a_table_that_was_altered_is_refused(refused: Refused, tmp_path: Path, table: Path) -> None:
    document = json.loads(table.read_text())
    document["calibrations"][0]["offset_s"] = 1.0
    (tmp_path / "t.json").write_text(json.dumps(document))
    refused(2, ("t.json", "altered"), "search", *NETWORK, "--table", "t.json")


def test_a_table_of_another_network_is_refused(refused: Refused, tiny: Tiny) -> None:
    refused(
        2,
        ("lacks", "operators of this network", "latency measure"),
        *("search", *tiny, "--model", f"{TINY}:narrow"),
    )


@pytest.mark.parametrize("divisor", ["8", "24"])
def test_a_table_of_another_divisor_is_refused_with_both(
    divisor: str, refused: Refused, tiny: Tiny
) -> None:
    says = ("measured for multiples of 16 (divisor 16)", f"multiples of {divisor} (divisor")
    help = ("give --divisor 16", f"'autoprune latency measure --model MODEL' (--divisor {divisor})")
    refused(2, (*says, *help), "search", *tiny, "--divisor", divisor)


def test_a_table_of_the_default_widths_is_refused_for_a_divisor(program: Run) -> None:
    network = ("--model", f"{TINY}:network", "--min-keep", "0.25")
    measure = ("latency", "measure", *network, "--input", "1x8x8", "--out", "t.json")
    expect_done(program(*measure))
    words = ("search", *network, "--data", f"{TINY}:split_loaders", "--table", "t.json")
    said = program(*words, "--divisor", "12")
    assert said.code == 2
    assert "all widths below 8 (no divisor)" in said.err
    assert "multiples of 12 (divisor 12): leave the divisor out" in said.err


def test_a_table_of_another_batch_is_refused(refused: Refused, tiny: Tiny) -> None:
    refused(2, ("at batch 1", "batch 4"), "search", *tiny, "--batch", "4")


def test_a_file_that_is_no_table_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("{}")
    refused(2, ("not a latency table",), "search", *NETWORK, "--table", "t.json")
    refused(2, ("not a latency table",), "latency", "show", "t.json")


@pytest.mark.parametrize("kind", ["file", "folder with something else"])
def test_a_place_that_is_taken_is_refused_before_the_search(
    kind: str, refused: Refused, tmp_path: Path, tiny: Tiny
) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "thesis.tex").write_text("mine")
    refused(2, ("out", "name"), "search", *tiny, "--out", "out")


def test_another_jobs_bundle_is_not_taken_for_ones_own(
    refused: Refused, tiny: Tiny, finished: FinishedJob
) -> None:
    refused(2, ("holds a bundle already",), "search", *tiny, "--out", finished.bundle)


def test_verify_of_a_folder_that_is_no_bundle_is_refused(refused: Refused, tmp_path: Path) -> None:
    refused(2, ("absent",), "verify", "absent")
    (tmp_path / "schedule.json").write_text("{}")
    refused(2, ("not a bundle",), "verify", tmp_path)
