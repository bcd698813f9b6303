"""Comparing outputs and reading sizes off ONNX graphs."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from autoprune.errors import VerificationError
from autoprune.export.onnx_files import (
    check_numerics,
    difference,
    onnx_runner,
    read_graph,
    run_onnx,
    weight_channels,
)
from latency_tables.runtimes.onnx_export import export_onnx


def _sizes(model: nn.Module, *shape: int) -> Counter[tuple[int, int]]:
    return weight_channels(read_graph(export_onnx(model.eval(), torch.randn(shape)), "it"))


def test_differences_are_relative_only_above_one() -> None:
    small = torch.tensor([0.5, 0.25])
    assert difference(small + 0.01, small) == pytest.approx(0.01, rel=1e-4)
    assert difference(small * 200 + 1, small * 200) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_never_compares(bad: float) -> None:
    broken = torch.tensor([bad])
    assert difference(broken, broken) == float("inf")


def test_another_shape_never_compares() -> None:
    assert difference(torch.zeros(2), torch.zeros(1)) == float("inf")


def test_channels_of_each_kind_of_layer() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.Conv2d(6, 6, 3, padding=1, groups=6),
        nn.Conv2d(6, 12, 1, groups=3),
        nn.ConvTranspose2d(12, 5, 2, stride=2),
        nn.Flatten(),
        nn.Linear(5 * 64, 7),
    )
    expected = {(4, 6): 1, (6, 6): 1, (6, 12): 1, (12, 5): 1, (320, 7): 1}
    assert _sizes(model, 1, 4, 4, 4) == expected


def test_a_linear_layer_on_sequences_is_read_from_its_matrix_product() -> None:
    assert _sizes(nn.Linear(6, 3), 1, 5, 6) == {(6, 3): 1}


def test_layers_that_share_equal_weights_are_counted_apart() -> None:
    first, second = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
    second.load_state_dict(first.state_dict())
    assert _sizes(nn.Sequential(first, nn.ReLU(), second), 1, 4, 4, 4) == {(4, 4): 2}


def test_a_network_agrees_with_its_own_export_alone() -> None:
    model, other = nn.Linear(3, 2).eval(), nn.Linear(3, 2).eval()
    inputs = [torch.randn(1, 3)]
    check_numerics(export_onnx(model, inputs[0]), model, inputs, "model.onnx")
    with pytest.raises(VerificationError, match=r"model\.onnx does not compute"):
        check_numerics(export_onnx(other, inputs[0]), model, inputs, "model.onnx")


def test_what_is_not_onnx_is_named() -> None:
    with pytest.raises(VerificationError, match=r"a\.onnx is not a valid ONNX file"):
        read_graph(b"junk", "a.onnx")
    with pytest.raises(VerificationError, match=r"a\.onnx does not run"):
        run_onnx(b"junk", torch.zeros(1), "a.onnx")
    with pytest.raises(VerificationError, match=r"a\.onnx does not run"):
        onnx_runner(b"junk", torch.zeros(1), 1, "a.onnx")


def test_a_runner_runs_as_often_as_it_is_called() -> None:
    model = nn.Linear(3, 2).eval()
    run = onnx_runner(export_onnx(model, torch.zeros(1, 3)), torch.zeros(1, 3), 1, "it")
    for _ in range(3):
        run()
