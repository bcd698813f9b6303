"""`autoprune check` on data that cannot be searched with: what is wrong, in which split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_net import network
from tiny_program import NETWORK, Said, expect_done

Program = Callable[..., Said]
Refused = Callable[..., str]
Tiny = tuple[str, ...]
DATA = Path(__file__).with_name("odd_data.py")
MODELS = Path(__file__).with_name("odd_networks.py")

REFUSALS = {
    "without_channels": ("train, item 0", "[50, 8, 8]", "[B, C, H, W]", "unsqueeze(1)"),
    "channels_last": (
        "your data looks like N,H,W,C",
        "(8, 8, 1)",
        "expected N,C,H,W, here (1, 8, 8)",
        "permute(0, 3, 1, 2)",
        "layer 'first.0'",
    ),
    "classes_in_words": ("classes must be their number or a list of names, got 'ten'",),
    "one_hot": ("train, item 0", "50 class numbers", "[50, 10]", "argmax(1)"),
    "floating_labels": ("train, item 0", "class numbers", "torch.float32", ".long()"),
    "named_labels": ("train, item 0", "class numbers", "got str"),
    "label_too_high_in_val": ("the val split has label 10", "0..9"),
    "negative_label": ("the train split has label -1", "0..9"),
    "no_val_batches": ("val: the loader is empty", "at least one image"),
    "empty_val_batches": ("val: the loader is empty", "at least one image"),
    "one_class": ("300 images of the train split have label 3", "several classes"),
    "one_class_in_val": ("100 images of the val split have label 0", "shuffle"),
    "nan_in_train": ("image 53 of the train split", "not finite"),
    "nan_in_val": ("image 53 of the val split", "not finite"),
    "colour": ("layer 'first.0'", "(1, 3, 8, 8)", "check the input shape"),
    "larger_in_val": ("the val images have shape (1, 16, 16)", "(1, 8, 8)", "one shape"),
    "larger_on_the_way": ("train, item 4", "[1, 16, 16]", "[1, 8, 8]", "one shape"),
    "failing": ("odd_data.py:failing failed", "FileNotFoundError", "no images"),
    "failing_on_the_way": ("train, item 2", "OSError", "image file is truncated"),
    "with_arguments": ("without arguments", "it takes folder, size:", "default values"),
    "number": ("must return (train, val)", "got int"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_check_and_search_say_what_is_wrong_and_where(
    name: str, program: Program, refused: Refused, tiny: Tiny
) -> None:
    refused(2, REFUSALS[name], "search", *tiny, "--data", f"{DATA}:{name}")
    said = program("check", *NETWORK, "--data", f"{DATA}:{name}", "--json")
    assert said.code == 2
    for word in REFUSALS[name]:
        assert word in said.json["error"]


def test_labels_that_the_model_has_no_output_for_are_refused(refused: Refused, tiny: Tiny) -> None:
    options = ("--data", f"{DATA}:label_too_high_in_train", "--model", f"{MODELS}:ten_outputs")
    says = ("(1, 13)", "(1, 10)", "labels up to 12", "num_classes is 13", "classes=10")
    refused(2, says, "search", *tiny, *options)
    refused(2, says, "check", *NETWORK, *options)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Of a network with ten outputs."""
    path = tmp_path / "ten.pt"
    torch.save(network(10).state_dict(), path)
    return path


def test_weights_of_more_classes_than_the_training_labels_say_where_the_number_is_from(
    program: Program, weights: Path
) -> None:
    said = program("check", *NETWORK, "--weights", weights, "--data", f"{DATA}:seven_classes")
    assert said.code == 2
    for words in (
        "classifier.weight (expected (7, 64), got (10, 64))",
        "the weights have 10",
        "num_classes is 7 (labels up to 6), as the data",
        "a class folder?",
        "'classes': 10",
    ):
        assert words in said.err


def test_a_factory_may_say_how_many_classes_there_are(program: Program, weights: Path) -> None:
    data = ("--data", f"{DATA}:seven_of_ten_classes")
    found = expect_done(program("check", *NETWORK, "--weights", weights, *data, "--json")).json
    assert found["data"]["classes"] == 10


def test_weights_that_differ_in_more_than_their_outputs_are_not_a_matter_of_classes(
    program: Program, tmp_path: Path
) -> None:
    state = network(10).state_dict()
    state["first.0.weight"] = torch.zeros(64, 1, 5, 5)
    torch.save(state, tmp_path / "other.pt")
    words = ("--weights", tmp_path / "other.pt", "--data", f"{DATA}:seven_classes")
    said = program("check", *NETWORK, *words)
    assert said.code == 2
    assert "first.0.weight (expected (64, 1, 3, 3), got (64, 1, 5, 5))" in said.err
    assert "num_classes" not in said.err


def test_a_network_that_takes_channels_last_is_searched(program: Program) -> None:
    """The look of the data alone refuses nothing."""
    own = ("--model", f"{MODELS}:takes_channels_last", "--data", f"{DATA}:channels_last")
    assert expect_done(program("check", *own, "--json")).json["ok"]


def test_a_factory_whose_arguments_have_defaults_is_called(program: Program) -> None:
    found = expect_done(program("check", *NETWORK, "--data", f"{DATA}:with_defaults", "--json"))
    assert found.json["data"]["images"] == {"train": 300, "val": 100, "test": 100}
