"""Gradients behind a ranking, and every criterion from the request to the score."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_network import FIDELITY, space_of, untrained
from torch import nn
from torch.nn import functional

from autoprune.data.dataset import Dataset, Split
from autoprune.errors import ModelError
from autoprune.evaluation import ranking
from autoprune.evaluation.checkpoint import pack, unpack
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Metric, Probe
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.ranking import measure_gradients
from autoprune.pruning.criteria import CRITERIA
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import SearchSpace

RAW = Fidelity(steps=0, reconstruction_batches=0, recalibration_batches=0)
HALF = {"conv1": 4, "conv2": 8}


class OneThatMatters(nn.Module):
    """Sees how bright the first colour is, through one unit with small weights.

    The other units have large weights, and nothing reads them.
    """

    def __init__(self, matters: int = 0, noise: float = 0.0) -> None:
        super().__init__()
        self.noise = noise
        self.colours = nn.Conv2d(3, 4, 1)
        self.verdict = nn.Linear(4, 2)
        with torch.no_grad():
            self.colours.weight.fill_(1.0)
            self.colours.bias.zero_()
            self.colours.weight[matters] = torch.tensor([0.01, 0.0, 0.0])[:, None, None]
            self.verdict.weight.zero_()
            self.verdict.weight[1, matters] = 1000.0
            self.verdict.bias.copy_(torch.tensor([0.0, -4.3]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.noise:
            x = x + self.noise * torch.randn(x.shape)
        return self.verdict(torch.relu(self.colours(x)).mean((2, 3)))


def colours(images: int = 80) -> Dataset:
    """Pictures of class 1 are bright in the first colour; the others say nothing."""
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(0, 256, (images, 3, 4, 4), generator=generator, dtype=torch.uint8)
    labels = torch.arange(images) % 2
    pixels[:, 0] = torch.where(labels == 1, 200, 20)[:, None, None]
    split = Split(pixels, labels)
    return Dataset("colours", ("dark", "bright"), split, split, None, (0.0,) * 3, (1.0,) * 3)


def evaluator(model: nn.Module, criterion: str) -> NetworkEvaluator:
    torch.manual_seed(0)
    shaken = OneThatMatters().eval()
    for parameter in shaken.parameters():
        nn.init.normal_(parameter)
    space = find_groups(shaken, torch.rand(2, 3, 4, 4))
    return NetworkEvaluator(model, space, colours(), criterion=criterion, metric=Metric(), seed=4)


def count_measurements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each measurement of gradients."""
    seen: list[int] = []

    def counted(*arguments):
        seen.append(1)
        return measure_gradients(*arguments)

    monkeypatch.setattr(ranking, "measure_gradients", counted)
    return seen


@pytest.mark.parametrize("criterion", CRITERIA)
def test_each_criterion_leads_to_a_finite_score(
    criterion: str, network: nn.Module, space: SearchSpace, digits: Dataset
) -> None:
    scores = NetworkEvaluator(network, space, digits, criterion=criterion, metric=Metric(), seed=11)
    trial = scores.evaluate(EvaluationRequest(HALF, FIDELITY))
    probe = scores.evaluate(EvaluationRequest(HALF, Probe(100)))
    for result in (trial, probe):
        assert result.error is None
        assert result.score is not None
        assert 0.0 < result.score < 20.0


def test_taylor_keeps_the_unit_that_matters_where_its_weights_are_small() -> None:
    for fidelity in (RAW, Probe()):
        request = EvaluationRequest({"colours": 1}, fidelity)
        assert evaluator(OneThatMatters(), "taylor").evaluate(request).accuracy == 1.0
        for magnitude in ("l2", "sum", "lamp"):
            assert evaluator(OneThatMatters(), magnitude).evaluate(request).accuracy == 0.5


def test_a_parents_units_are_ranked_by_the_parents_gradients() -> None:
    scores = evaluator(OneThatMatters(matters=0), "taylor")
    one, other = (pack(OneThatMatters(matters=unit).state_dict(), None) for unit in (2, 3))

    def kept(start: bytes | None) -> list[int]:
        request = EvaluationRequest({"colours": 1}, RAW, start, want_weights=True)
        weights = scores.evaluate(request).weights
        assert weights is not None
        units = unpack(weights)[1]
        assert units is not None
        return units["colours"].tolist()

    found = [kept(start) for start in (None, one, other, None)]
    assert found == [[0], [2], [3], [0]]


def test_gradients_are_measured_once_for_each_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = count_measurements(monkeypatch)
    scores = evaluator(OneThatMatters(), "taylor")
    assert len(measured) == 0
    for width in (1, 2, 3):
        scores.evaluate(EvaluationRequest({"colours": width}, Probe()))
        scores.evaluate(EvaluationRequest({"colours": width}, RAW))
    assert len(measured) == 1
    start = pack(OneThatMatters(matters=1).state_dict(), None)
    for width in (1, 2):
        scores.evaluate(EvaluationRequest({"colours": width}, RAW, start))
    scores.evaluate(EvaluationRequest({"colours": 1}, RAW))
    assert len(measured) == 2


def test_no_gradients_are_measured_for_a_criterion_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = count_measurements(monkeypatch)
    start = pack(OneThatMatters(matters=1).state_dict(), None)
    for request in (
        EvaluationRequest({"colours": 2}, Probe()),
        EvaluationRequest({"colours": 2}, RAW, start),
    ):
        assert evaluator(OneThatMatters(), "l2").evaluate(request).error is None
    assert len(measured) == 0


def test_measuring_gradients_shifts_no_random_numbers_of_the_network() -> None:
    """A score is the same whether gradients were measured for it or before."""
    request = EvaluationRequest({"colours": 2}, replace(RAW, steps=3, teacher=0.0))
    noisy = evaluator(OneThatMatters(noise=0.3), "taylor")
    first, again = noisy.evaluate(request), noisy.evaluate(request)
    quiet = evaluator(OneThatMatters(), "taylor").evaluate(request)
    assert first.loss == again.loss
    assert first.loss != quiet.loss


def test_gradients_are_those_of_the_mean_loss_with_kept_statistics(digits: Dataset) -> None:
    model = untrained()
    with torch.no_grad():
        model.bn1.running_var.mul_(3.0)
    model.conv2.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images, labels = digits.normalise(digits.train.images[:64]), digits.train.labels[:64]
    found = measure_gradients(model, [(images[:32], labels[:32]), (images[32:], labels[32:])])
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())

    model.eval().requires_grad_(True)
    functional.cross_entropy(model(images), labels).backward()
    assert set(found) == {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_a_parameter_without_influence_has_a_gradient_of_zeros(digits: Dataset) -> None:
    model = untrained()
    model.unused = nn.Linear(2, 2)
    images, labels = digits.normalise(digits.train.images[:8]), digits.train.labels[:8]
    assert not measure_gradients(model, [(images, labels)])["unused.weight"].any()


def test_a_network_whose_loss_is_no_number_has_no_gradients(
    network: nn.Module, digits: Dataset
) -> None:
    model = untrained()
    with torch.no_grad():
        model.linear.bias.fill_(float("nan"))
    scores = NetworkEvaluator(
        model, space_of(network), digits, criterion="taylor", metric=Metric(), seed=1
    )
    error = scores.evaluate(EvaluationRequest(HALF, RAW)).error
    assert error is not None
    assert "there are no gradients" in error
    images, labels = digits.normalise(digits.train.images[:8]), digits.train.labels[:8]
    with pytest.raises(ModelError, match="training loss of the network is nan"):
        measure_gradients(model, [(images, labels)])
