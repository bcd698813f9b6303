"""`autoprune check` on data that cannot be searched with: what is wrong, in which split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_program import NETWORK, Said, expect_done

Program = Callable[..., Said]
Refused = Callable[..., str]
Tiny = tuple[str, ...]
DATA = Path(__file__).with_name("odd_data.py")
MODELS = Path(__file__).with_name("odd_networks.py")

REFUSALS = {
    "without_channels": ("train, item 0", "[50, 8, 8]", "[B, C, H, W]", "unsqueeze(1)"),
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
    says = ("(1, 13)", "(1, 10)", "labels up to 12", "13 classes")
    refused(2, says, "search", *tiny, *options)
    refused(2, says, "check", *NETWORK, *options)


def test_a_factory_whose_arguments_have_defaults_is_called(program: Program) -> None:
    found = expect_done(program("check", *NETWORK, "--data", f"{DATA}:with_defaults", "--json"))
    assert found.json["data"]["images"] == {"train": 300, "val": 100, "test": 100}
