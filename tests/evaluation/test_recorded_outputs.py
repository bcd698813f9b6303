"""Whether a network is still the one whose outputs were recorded."""

from __future__ import annotations

import json

import torch
from torch import Tensor, nn

from autoprune.evaluation.recorded_outputs import Recorded, outputs_differ, record_outputs

SHAPE = (3, 8, 8)


class Net(nn.Module):
    """Two convolutions around an activation that no parameter tells of."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3), activation, nn.Conv2d(8, 4, 3))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images).mean(dim=(2, 3))


class Drawing(Net):
    """Draws in evaluation too."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + torch.randn(4)


class TwoOutputs(Net):
    """One is computed, one is drawn."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(images), torch.randn(len(images))


def recorded_of(model: nn.Module) -> Recorded:
    """As it comes back from a database."""
    recorded = record_outputs(model, SHAPE)
    assert recorded is not None
    return dict(json.loads(json.dumps(recorded)))


def test_the_same_code_agrees() -> None:
    assert outputs_differ(Net(nn.ReLU()), recorded_of(Net(nn.ReLU()))) is None


def test_another_activation_differs() -> None:
    differ = outputs_differ(Net(nn.GELU()), recorded_of(Net(nn.ReLU())))
    assert differ is not None
    assert "% off" in differ


def test_rounding_of_another_machine_is_no_difference() -> None:
    """It moves the fifth digit at most."""
    recorded = recorded_of(Net(nn.ReLU()))
    for numbers in recorded["outputs"].values():
        numbers[:] = [number * (1 + 1e-5) for number in numbers]
    assert outputs_differ(Net(nn.ReLU()), recorded) is None


def test_another_number_of_outputs_differs() -> None:
    recorded = recorded_of(Net(nn.ReLU()))
    wider = nn.Sequential(Net(nn.ReLU()), nn.Linear(4, 5)).eval()
    differ = outputs_differ(wider, recorded)
    assert differ is not None
    assert "number or shape" in differ


def test_a_network_that_stops_differs() -> None:
    differ = outputs_differ(nn.Linear(5, 2), recorded_of(Net(nn.ReLU())))
    assert differ is not None
    assert "stops with RuntimeError" in differ


def test_outputs_that_are_drawn_cannot_be_compared() -> None:
    assert record_outputs(Drawing(nn.ReLU()), SHAPE) is None


def test_only_the_steady_of_several_outputs_is_kept() -> None:
    recorded = recorded_of(TwoOutputs(nn.ReLU()))
    assert list(recorded["outputs"]) == ["0"]
    assert outputs_differ(TwoOutputs(nn.ReLU()), recorded) is None
    assert outputs_differ(TwoOutputs(nn.GELU()), recorded) is not None


def test_recording_draws_nothing_of_the_callers_randomness() -> None:
    before = torch.get_rng_state()
    record_outputs(Drawing(nn.ReLU()), SHAPE)
    assert torch.equal(torch.get_rng_state(), before)
