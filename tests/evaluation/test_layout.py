"""The layout in memory that fits a network: found once, and the same for all that runs it."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tiny_network import FIDELITY, TinyNetwork, space_of, untrained
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.task import Task
from autoprune.errors import ModelError
from autoprune.evaluation.base import score_base
from autoprune.evaluation.checkpoint import pack
from autoprune.evaluation.contract import EvaluationRequest, Evaluator, Metric, Probe
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.layout import laid_out
from autoprune.evaluation.recipe import EvaluatorRecipe
from autoprune.evaluation.trainability import check_trainable
from autoprune.evaluation.training import TrainingPlan, train

HALF = {"conv1": 4, "conv2": 8}


class Viewing(TinyNetwork):
    """Takes the pixels of its maps in a row, as they lie in memory."""

    def __init__(self, modes: tuple[bool, ...] = (True, False)) -> None:
        super().__init__()
        self.modes = modes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        row = out.view(len(out), -1) if self.training in self.modes else out.flatten(1)
        return self.linear(self.dropout(row))


def viewing(modes: tuple[bool, ...] = (True, False)) -> Viewing:
    """The weights of ``untrained``."""
    model = Viewing(modes).eval()
    model.load_state_dict(untrained().state_dict())
    return model


def test_a_network_that_runs_in_both_layouts_gets_the_same_data_as_ever(
    network: nn.Module, digits: Dataset
) -> None:
    assert laid_out(network, digits) is digits
    images = digits.normalise(digits.train.images[:2].expand(-1, 3, -1, -1))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert not images.is_contiguous()


@pytest.mark.parametrize("modes", [(True, False), (True,), (False,)])
def test_a_network_that_views_its_maps_in_any_mode_gets_contiguous_data(
    modes: tuple[bool, ...], digits: Dataset
) -> None:
    found = laid_out(viewing(modes), digits)
    images = found.normalise(digits.train.images[:2].expand(-1, 3, -1, -1))
    assert images.is_contiguous()
    assert found.digest == digits.digest


def test_a_view_in_the_loss_of_a_task_counts_too(digits: Dataset) -> None:
    def loss(outputs: torch.Tensor, _labels: torch.Tensor) -> torch.Tensor:
        return outputs.view(len(outputs), -1).square().mean()

    whole = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)).eval()
    of_task = replace(digits, task=Task(loss=loss))
    assert laid_out(whole, of_task).layout == torch.contiguous_format


def test_a_network_that_runs_in_neither_layout_is_left_to_the_checks(digits: Dataset) -> None:
    model = viewing()
    model.linear = nn.Linear(7, 10)
    assert laid_out(model, digits) is digits


def test_where_training_fails_in_both_layouts_the_one_that_gets_further_tells_why(
    digits: Dataset,
) -> None:
    model = viewing().requires_grad_(False)
    found = laid_out(model, digits)
    everything = {"conv1": torch.arange(8), "conv2": torch.arange(16)}
    with pytest.raises(ModelError, match="requires_grad"):
        check_trainable(model, space_of(model), found, everything)


def test_finding_it_changes_neither_the_network_nor_the_random_state(digits: Dataset) -> None:
    model = viewing()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    laid_out(model, digits)
    assert not model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def in_memory(data: Dataset, criterion: str) -> Evaluator:
    model = viewing()
    return NetworkEvaluator(
        model, space_of(model), data, criterion=criterion, metric=Metric(), seed=11
    )


def by_name(data: Dataset, criterion: str) -> Evaluator:
    """As another process makes it."""
    model = viewing()
    recipe = EvaluatorRecipe(
        model=model,
        classes=10,
        input_shape=(1, 8, 8),
        weights=pack(model.state_dict(), None),
        space=space_of(model),
        data="digits",
        criterion=criterion,
        metric=Metric(),
        seed=11,
        threads=1,
        layout=data.layout,
    )
    return recipe()


@pytest.mark.parametrize("criterion", ["l2", "taylor"])
@pytest.mark.parametrize("make", [in_memory, by_name])
def test_trials_and_probes_of_it_score_as_those_of_a_network_that_flattens(
    make: Callable[[Dataset, str], Evaluator], criterion: str, digits: Dataset
) -> None:
    flattening = untrained().eval()
    expected = NetworkEvaluator(
        flattening, space_of(flattening), digits, criterion=criterion, metric=Metric(), seed=11
    )
    found = make(laid_out(viewing(), digits), criterion)
    for fidelity in (replace(FIDELITY, reconstruction_batches=2), Probe(100)):
        request = EvaluationRequest(HALF, fidelity)
        result, usual = found.evaluate(request), expected.evaluate(request)
        assert result.error is None
        assert result.loss == pytest.approx(usual.loss, rel=0.02)


def test_it_is_checked_scored_and_trained_with_a_teacher(digits: Dataset) -> None:
    model = viewing()
    data = laid_out(model, digits)
    check_trainable(
        model, space_of(model), data, {"conv1": torch.arange(4), "conv2": torch.arange(8)}
    )
    scored = score_base(model, data, Metric())
    teacher = copy.deepcopy(model)
    trained = train(
        model, data, TrainingPlan(1, batch_size=256, teacher=0.5), seed=1, teacher=teacher
    )
    assert score_base(trained, data, Metric())["loss"] < scored["loss"]
