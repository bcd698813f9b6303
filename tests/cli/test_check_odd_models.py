"""`autoprune check` on networks with habits of their own: pruned rightly, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_program import NETWORK, Said, expect_done, run_program

Program = Callable[..., Said]
Refused = Callable[..., str]
Tiny = tuple[str, ...]
MODELS = Path(__file__).with_name("odd_networks.py")

REFUSALS = {
    "branching": ("Branching cannot be exported", "odd_networks.py:", "torch.where"),
    "changes_its_input": ("changes its input in place", "odd_networks.py:", "images.clone()"),
    "first_layer_in_place": ("changes its input in place", "layer '0'", "not in place"),
    "keeps_features": ("cannot be copied after a forward pass", "'features'", ".detach()"),
    "old_weight_norm": ("'second.0'", "cannot be copied", "parametrizations.weight_norm"),
    "old_spectral_norm": ("'second.0'", "cannot be copied", "parametrizations.spectral_norm"),
    "quantised": ("'classifier' is quantised", "cannot be pruned", "Prune the network first"),
    "on_another_device": ("'first.0.weight'", "'meta'", ".cpu()"),
    "partly_on_another_device": ("'third.0.weight'", "'meta'", ".cpu()"),
    "half": ("'first.0.weight'", "torch.float16", "torch.float32", ".float()"),
    "bfloat16": ("'first.0.weight'", "torch.bfloat16", ".float()"),
    "double": ("'first.0.weight'", "torch.float64", ".float()"),
    "lazy_on_other_images": ("(1, 8, 8)", "'second.0'", "lazy", "Check the input shape"),
    "auxiliary_in_training": ("in training mode", "(2, 10)", "tuple of 2", "self.training = False"),
    "softmax_in_evaluation": ("SoftmaxInEvaluation", "in evaluation mode", "outside of the net"),
    "looks_up": ("layer 'table'", "floating-point inputs", ".long()", "part="),
    "training_in_place": ("in training mode", "changes its input in place", "images.clone()"),
    "training_only_layer": ("in training mode layer 'shortcut'", "64x10", "--ignore"),
    "all_frozen": ("cannot be trained", "requires_grad"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_check_and_search_say_what_is_wrong_and_where(
    name: str, program: Program, refused: Refused, tiny: Tiny
) -> None:
    words = REFUSALS[name]
    error = refused(2, words, "search", *tiny, "--model", f"{MODELS}:{name}")
    assert "Torch IR" not in error
    assert "def forward(" not in error
    said = program("check", *NETWORK, "--model", f"{MODELS}:{name}", "--json")
    assert said.code == 2
    for word in words:
        assert word in said.json["error"]


def checked(name: str, program: Program) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Layers of each group, and the reasons of those left whole, by name."""
    found: Any = expect_done(program("check", *NETWORK, "--model", f"{MODELS}:{name}", "--json"))
    assert found.json["training_step"]["score"] > 0.0
    groups = {group["name"]: group["layers"] for group in found.json["groups"]}
    left = {left["group"]: left["reason"] for left in found.json["left_out"]}
    assert left.pop("classifier") == "its channels are an output of the network"
    return groups, left


def test_layers_of_one_weight_are_one_group_and_all_named(program: Program) -> None:
    groups, left = checked("tied", program)
    assert groups == {"first.0": ["first.0", "second.0", "third.0"]}
    assert left == {}


def test_a_layer_that_shares_its_weight_can_be_left_alone(program: Program) -> None:
    options = ("--model", f"{MODELS}:half_tied", "--ignore", "second.0")
    found = expect_done(program("check", *NETWORK, *options, "--json")).json
    assert [group["name"] for group in found["groups"]] == ["fourth"]


def test_a_layer_called_twice_reads_what_it_puts_out(program: Program) -> None:
    groups, left = checked("called_twice", program)
    assert groups == {"first.0": ["first.0", "second.0"], "third.0": ["third.0"]}
    assert left == {}


def test_norms_that_do_not_learn_are_cut_along(program: Program) -> None:
    groups, left = checked("frozen_norms", program)
    assert sorted(groups) == ["first.0", "second.0", "third.0"]
    assert left == {}


def test_lazy_layers_get_their_size_and_the_same_weights_every_time(program: Program) -> None:
    groups, left = checked("lazy", program)
    assert sorted(groups) == ["first.0", "second.0", "third.0"]
    assert left == {}
    step = [
        expect_done(program("check", *NETWORK, "--model", f"{MODELS}:lazy", "--json")).json["base"]
        for _ in range(2)
    ]
    assert step[0] == step[1]


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_around_a_computed_weight_channels_stay_and_the_rest_is_pruned(
    name: str, program: Program
) -> None:
    groups, left = checked(name, program)
    assert groups == {"third.0": ["third.0"]}
    assert sorted(left) == ["first.0", "second.0"]
    assert "weight is computed" in left["first.0"]
    assert "weight is computed" in left["second.0"]


@pytest.mark.parametrize("name", ["tied", "frozen_norms", "lazy", "spectral_norm"])
def test_what_check_lets_pass_is_searched_to_a_verified_bundle(
    name: str, tiny: Tiny, tmp_path: Path
) -> None:
    model = ("--model", f"{MODELS}:{name}")
    without_table = tiny[: tiny.index("--table")] + tiny[tiny.index("--table") + 2 :]
    options = ("--budget", "85%", "--db", "jobs.db", "--out", "bundle")
    expect_done(run_program("search", *without_table, *model, *options, folder=tmp_path))
    expect_done(run_program("verify", "bundle", "--no-write", folder=tmp_path))
