"""A task's metric is told with a trial where it costs nothing, and never moves its score."""

import math
from dataclasses import replace

import pytest
import torch
from task_cases import REGRESSION, brightness, mean_error, network
from torch import nn
from torch.nn import functional

from autoprune.data.task import Task
from autoprune.evaluation import task_scores
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Metric, Probe
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.scoring import score
from autoprune.pruning.groups import find_groups

LOSS = Metric("loss")
REQUEST = EvaluationRequest(
    {"0": 8, "3": 8}, Fidelity(steps=2, batch_size=16, recalibration_batches=2)
)


def evaluate(task, request=REQUEST, metric=LOSS):
    model = network()
    space = find_groups(model, torch.rand(2, 1, 8, 8))
    data = brightness(task)
    scorer = NetworkEvaluator(model, space, data, criterion="l2", metric=metric, seed=1)
    return scorer.evaluate(request)


def with_metric(function, **more):
    return replace(REGRESSION, metric=function, **more)


@pytest.mark.parametrize("pooled", [False, True])
def test_a_trial_that_is_ranked_by_the_loss_tells_the_metric(pooled):
    task = replace(REGRESSION, pooled=pooled)
    found = evaluate(task)
    ranked = evaluate(task, metric=Metric("mean_error"))
    assert found.figure == ranked.score == ranked.figure
    assert found.score == found.loss != found.figure


def test_a_task_without_a_metric_tells_its_loss():
    found = evaluate(Task(loss=functional.mse_loss))
    assert found.figure == found.loss == found.score


def test_a_probe_tells_no_metric():
    found = evaluate(REGRESSION, EvaluationRequest({"0": 8, "3": 8}, Probe(20)))
    assert found.score is not None
    assert found.figure is None


def raising(outputs, targets):
    raise KeyError("boxes")


@pytest.mark.parametrize("function", [raising, lambda o, t: math.nan, lambda o, t: "good"])
@pytest.mark.parametrize("pooled", [False, True])
def test_a_metric_that_cannot_be_had_leaves_the_score_alone(function, pooled):
    found = evaluate(with_metric(function, pooled=pooled))
    assert (found.score, found.error) == (evaluate(REGRESSION).score, None)
    assert found.figure is None


def test_a_metric_that_draws_random_numbers_moves_no_score():
    def drawing(outputs, targets):
        return mean_error(outputs + torch.rand_like(outputs), targets)

    class Noisy(nn.Module):
        def forward(self, images):
            return images.mean((2, 3)).expand(-1, 2) + torch.rand(len(images), 2)

    data = brightness(with_metric(drawing), count=600)
    data = replace(data, val=data.train)
    alone = score(Noisy(), data, LOSS)
    beside = score(Noisy(), data, LOSS, figure=True)
    assert (alone.score, alone.figure) == (beside.score, None)
    assert beside.figure is not None


def test_outputs_that_are_too_large_to_keep_are_not_pooled(monkeypatch):
    task = replace(REGRESSION, pooled=True)
    images, bytes_an_image = 30, 4 * (2 + 2)
    monkeypatch.setattr(task_scores, "POOLED_BYTES", images * bytes_an_image)
    assert evaluate(task).figure is not None
    monkeypatch.setattr(task_scores, "POOLED_BYTES", images * bytes_an_image - 1)
    assert evaluate(task).figure is None


def test_a_metric_that_needs_a_forward_pass_of_its_own_is_not_told():
    class Training(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, images):
            self.passes = getattr(self, "passes", 0) + 1
            return self.inner(images)

    model = Training().eval()
    data = brightness(replace(REGRESSION, loss_in_training_mode=True))
    assert score(model, data, LOSS, figure=True).figure is None
    assert model.passes == 1
