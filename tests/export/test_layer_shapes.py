"""The shape of a weight tells whether it has the channels of the schedule."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from autoprune.export.schedule import Layer
from autoprune.export.shapes import first_difference, missing_weights


def _layer(kind: str, inputs: tuple[int, int], outputs: tuple[int, int]) -> Layer:
    return Layer(
        type=kind, in_channels=inputs, out_channels=outputs, keep_ratio=outputs[1] / outputs[0]
    )


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "shape", "fits"),
    [
        ("linear", 8, 4, (4, 8), True),
        ("linear", 8, 4, (8, 4), False),
        ("conv", 8, 4, (4, 8, 3, 3), True),
        ("conv", 8, 4, (8, 4, 3, 3), False),
        ("conv", 8, 4, (4, 5, 3, 3), False),
        ("conv", 8, 4, (4, 2, 3, 3), True),  # in four groups
        ("depthwise", 8, 8, (8, 1, 3, 3), True),
        ("depthwise", 8, 8, (6, 1, 3, 3), False),
        ("conv_transpose", 8, 4, (8, 4, 3, 3), True),
        ("ConvTranspose2d", 8, 4, (4, 8, 3, 3), False),
        ("conv", 8, 4, (4,), False),
    ],
)
def test_a_weight_fits_its_layer(
    kind: str, inputs: int, outputs: int, shape: tuple[int, ...], fits: bool
) -> None:
    layers = {"layer": _layer(kind, (16, inputs), (16, outputs))}
    wrong = first_difference(layers, {"layer.weight": torch.zeros(shape)}, "after")
    assert (wrong is None) is fits


def test_the_first_layer_that_differs_is_named_with_both_sizes() -> None:
    layers = {name: _layer("linear", (4, 4), (4, 2)) for name in ("a", "b", "c")}
    state = {"a.weight": torch.zeros(2, 4), "b.weight": torch.zeros(3, 4)}
    assert first_difference(layers, state, "after") == (
        "layer 'b' (linear) should have 4 -> 2 channels, but its weight has the shape (3, 4)"
    )
    assert "no tensor 'c.weight'" in str(
        first_difference(layers, {**state, "b.weight": torch.zeros(2, 4)}, "after")
    )


def test_equal_sizes_are_counted() -> None:
    layers = {name: _layer("conv", (4, 4), (8, 2)) for name in ("a", "b")}
    assert missing_weights(layers, Counter({(4, 2): 2}), "after") == []
    assert missing_weights(layers, Counter({(4, 2): 1}), "after") == ["b 4 -> 2"]


def test_a_layer_that_was_not_pruned_may_be_absent_from_a_graph() -> None:
    layers = {"unused": _layer("conv", (4, 4), (8, 8))}
    assert missing_weights(layers, Counter(), "after") == []


def test_a_layer_whose_weight_is_computed_has_no_weight_to_look_at() -> None:
    layers = {"a": _layer("conv", (3, 3), (8, 8)), "b": _layer("conv", (8, 8), (4, 2))}
    computed = {
        "a.parametrizations.weight.original": torch.zeros(8, 3, 3, 3),
        "b.weight": torch.zeros(2, 8, 3, 3),
    }
    assert first_difference(layers, computed, "after") is None
    renamed = {"other.parametrizations.weight.original": torch.zeros(8, 3, 3, 3)}
    assert "no tensor 'a.weight'" in str(first_difference(layers, renamed, "after"))
