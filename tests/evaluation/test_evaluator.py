"""A score depends on the request alone; failures become verdicts; weights can be gone on from."""

import copy
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_network
import torch
from tiny_network import FIDELITY, TinyNetwork
from torch import nn

from autoprune.errors import UnknownNameError
from autoprune.evaluation.batches import TrainingBatches
from autoprune.evaluation.checkpoint import pack, unpack
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Metric
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.placement import arranged
from autoprune.evaluation.rebuild import rebuild
from autoprune.evaluation.recalibration import recalibrate
from autoprune.evaluation.scoring import validate

HALF = {"conv1": 4, "conv2": 8}
FULL = {"conv1": 8, "conv2": 16}
UNTOUCHED = Fidelity(steps=0, reconstruction_batches=0, recalibration_batches=0)


def make(network, space, digits, *, metric=Metric(), seed=11) -> NetworkEvaluator:  # noqa: B008
    return NetworkEvaluator(network, space, digits, criterion="l2", metric=metric, seed=seed)


@pytest.fixture
def evaluator(network, space, digits) -> NetworkEvaluator:
    return make(network, space, digits)


def seconds_aside(result):
    return dataclasses.replace(result, seconds=0.0)


def test_the_whole_network_untouched_scores_as_it_is(evaluator, network, digits):
    result = evaluator.evaluate(EvaluationRequest(FULL, UNTOUCHED))
    loss, accuracy = validate(network, digits)
    assert result.loss == pytest.approx(loss, rel=1e-5)
    assert result.accuracy == accuracy
    assert result.error is None
    assert result.weights is None


def test_recalibration_and_finetuning_each_improve_a_pruned_network(evaluator):
    raw = evaluator.evaluate(EvaluationRequest(HALF, UNTOUCHED))
    recalibrated = evaluator.evaluate(
        EvaluationRequest(HALF, Fidelity(steps=0, recalibration_batches=10))
    )
    finetuned = evaluator.evaluate(
        EvaluationRequest(HALF, Fidelity(steps=30, recalibration_batches=10, learning_rate=0.05))
    )
    assert finetuned.loss < recalibrated.loss < raw.loss
    assert finetuned.accuracy > raw.accuracy + 0.1


def test_reconstruction_improves_a_pruned_network_before_any_step(evaluator):
    def accuracy(batches, widths=HALF):
        fidelity = Fidelity(steps=0, reconstruction_batches=batches, recalibration_batches=10)
        return evaluator.evaluate(EvaluationRequest(widths, fidelity)).accuracy

    assert accuracy(8) > accuracy(0) + 0.05
    assert accuracy(8, FULL) == accuracy(0, FULL)


def test_a_parents_child_is_reconstructed_by_the_parents_own_moments(evaluator, network):
    """From a parent with the base weights it is as from none."""
    parent = evaluator.evaluate(EvaluationRequest(FULL, UNTOUCHED, want_weights=True)).weights
    fitted = dataclasses.replace(UNTOUCHED, reconstruction_batches=4)
    losses = {
        evaluator.evaluate(EvaluationRequest(HALF, fitted, start=start)).loss
        for start in (None, parent)
    }
    assert len(losses) == 1
    other = pack({name: 2.0 * x for name, x in network.state_dict().items()}, None)
    assert evaluator.evaluate(EvaluationRequest(HALF, fitted, start=other)).loss not in losses
    assert len(evaluator._moments) == 2


def test_statistics_are_measured_on_augmented_images_as_in_training(network, space, digits):
    evaluator = make(network, space, digits)
    fidelity = Fidelity(steps=0, batch_size=32, recalibration_batches=3)
    result = evaluator.evaluate(EvaluationRequest(FULL, fidelity, want_weights=True))
    state, _, _ = unpack(result.weights)
    expected = arranged(copy.deepcopy(network), digits.layout)
    recalibrate(expected, TrainingBatches(digits, 32, 11, "recalibration", augment=True).first(3))
    assert torch.equal(state["bn2.running_mean"], expected.bn2.running_mean)
    plain = arranged(copy.deepcopy(network), digits.layout)
    recalibrate(plain, TrainingBatches(digits, 32, 11, "recalibration", augment=False).first(3))
    assert not torch.allclose(state["bn2.running_mean"], plain.bn2.running_mean)


def test_a_score_is_the_same_whenever_and_by_whomever_it_is_asked(network, space, digits):
    request = EvaluationRequest(HALF, FIDELITY, want_weights=True)
    first = make(network, space, digits).evaluate(request)
    busy = make(network, space, digits)
    busy.evaluate(EvaluationRequest({"conv1": 2, "conv2": 16}, FIDELITY))
    torch.manual_seed(99)
    np.random.seed(99)
    assert seconds_aside(busy.evaluate(request)) == seconds_aside(first)


def test_two_fresh_processes_agree_to_the_last_bit():
    script = str(Path(tiny_network.__file__))
    processes = [
        subprocess.Popen([sys.executable, script, seed], stdout=subprocess.PIPE, text=True)
        for seed in ("1", "2")
    ]
    said = {process.communicate()[0] for process in processes}
    assert len(said) == 1
    assert float(said.pop().split()[0]) > 0


def test_the_seed_of_the_job_matters(network, space, digits):
    request = EvaluationRequest(HALF, FIDELITY)
    scores = {make(network, space, digits, seed=seed).evaluate(request).score for seed in (1, 2)}
    assert len(scores) == 2


def test_global_randomness_and_the_given_network_are_left_alone(network, space, digits):
    before = copy.deepcopy(network.state_dict())
    evaluator = make(network, space, digits)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    evaluator.evaluate(EvaluationRequest(HALF, FIDELITY))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_returned_weights_are_those_that_were_scored(evaluator, network, digits):
    result = evaluator.evaluate(EvaluationRequest(HALF, FIDELITY, want_weights=True))
    rebuilt, kept = rebuild(network, result.weights)
    assert {name: len(units) for name, units in kept.items()} == HALF
    assert rebuilt.conv2.weight.shape == (8, 4, 3, 3)
    loss, accuracy = validate(rebuilt, digits)
    assert loss == pytest.approx(result.loss, rel=1e-5)
    assert accuracy == result.accuracy


def test_a_start_is_gone_on_from_with_its_own_weights(evaluator):
    parent = evaluator.evaluate(EvaluationRequest(HALF, FIDELITY, want_weights=True))
    same = evaluator.evaluate(EvaluationRequest(HALF, UNTOUCHED, start=parent.weights))
    assert same.loss == parent.loss
    assert same.accuracy == parent.accuracy


def test_a_start_is_pruned_further_among_the_units_it_has_left(evaluator):
    parent = evaluator.evaluate(EvaluationRequest(HALF, FIDELITY, want_weights=True))
    narrower = {"conv1": 3, "conv2": 5}
    child = evaluator.evaluate(
        EvaluationRequest(narrower, FIDELITY, start=parent.weights, want_weights=True)
    )
    afresh = evaluator.evaluate(EvaluationRequest(narrower, FIDELITY))
    assert child.loss < afresh.loss
    _, parent_kept, _ = unpack(parent.weights)
    _, child_kept, _ = unpack(child.weights)
    for name, width in narrower.items():
        assert len(child_kept[name]) == width
        assert set(child_kept[name].tolist()) < set(parent_kept[name].tolist())


def test_an_unpruned_checkpoint_can_be_a_start(evaluator, network):
    other = {name: value.clone() for name, value in network.state_dict().items()}
    other["linear.bias"] += torch.arange(10.0)
    result = evaluator.evaluate(EvaluationRequest(FULL, UNTOUCHED, start=pack(other, None)))
    assert result.loss > evaluator.evaluate(EvaluationRequest(FULL, UNTOUCHED)).loss


def test_a_start_cannot_be_widened(evaluator):
    parent = evaluator.evaluate(EvaluationRequest(HALF, UNTOUCHED, want_weights=True))
    wider = EvaluationRequest({"conv1": 4, "conv2": 9}, UNTOUCHED, start=parent.weights)
    result = evaluator.evaluate(wider)
    assert result.score is None
    assert "group 'conv2'" in result.error
    assert "got 9" in result.error


def test_a_start_that_is_no_checkpoint_is_a_verdict(evaluator):
    result = evaluator.evaluate(EvaluationRequest(HALF, UNTOUCHED, start=b"torn"))
    assert result.score is None
    assert "not a checkpoint" in result.error


def test_a_diverging_finetune_is_a_verdict(evaluator):
    fidelity = dataclasses.replace(FIDELITY, learning_rate=1e30)
    result = evaluator.evaluate(EvaluationRequest(HALF, fidelity, want_weights=True))
    assert (result.score, result.loss, result.accuracy, result.weights) == (None,) * 4
    assert "loss became" in result.error


class Moody(TinyNetwork):
    """Refuses some widths, and answers NaN at others."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.conv1.out_channels == 3:
            raise ValueError("three is\nnot a width for me")
        logits = super().forward(x)
        return logits * float("nan") if self.conv1.out_channels == 2 else logits


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (3, r"ValueError: three is not a width for me, at \S*test_evaluator\.py:\d+"),
        (2, "the validation loss is nan and the score nan"),
    ],
)
def test_a_network_that_fails_at_a_width_fails_that_request_only(space, digits, width, words):
    evaluator = make(Moody().eval(), space, digits)
    fidelity = Fidelity(steps=0, recalibration_batches=1)
    failed = evaluator.evaluate(EvaluationRequest({"conv1": width, "conv2": 16}, fidelity))
    assert re.fullmatch(words, failed.error)
    assert failed.score is None
    assert evaluator.evaluate(EvaluationRequest(HALF, fidelity)).error is None


def test_an_unknown_metric_is_refused_before_anything_is_scored(network, space, digits):
    with pytest.raises(UnknownNameError, match="f1"):
        make(network, space, digits, metric=Metric("f1"))


def test_the_metric_decides_the_score(network, space, digits):
    evaluator = make(network, space, digits, metric=Metric("accuracy", "maximize"))
    result = evaluator.evaluate(EvaluationRequest(HALF, FIDELITY))
    assert result.score == result.accuracy


def test_teaching_changes_the_score_and_remembers_no_request(network, space, digits):
    taught = dataclasses.replace(FIDELITY, teacher=0.7)
    evaluator = make(network, space, digits)
    plain = evaluator.evaluate(EvaluationRequest(HALF, FIDELITY))
    first = evaluator.evaluate(EvaluationRequest({"conv1": 2, "conv2": 4}, taught))
    second = evaluator.evaluate(EvaluationRequest(HALF, taught))
    fresh = make(network, space, digits).evaluate(EvaluationRequest(HALF, taught))
    assert second.loss == fresh.loss
    assert len({plain.loss, first.loss, second.loss}) == 3


def test_recalibrating_before_the_finetune_too_would_change_no_bit(network, space, digits):
    class Twice(NetworkEvaluator):
        def _fit(self, model: nn.Module, fidelity: Fidelity) -> None:
            batches = TrainingBatches(digits, 32, 1, "another")
            recalibrate(model, batches.first(3))
            super()._fit(model, fidelity)

    request = EvaluationRequest(HALF, FIDELITY, want_weights=True)
    twice = Twice(network, space, digits, criterion="l2", metric=Metric(), seed=11)
    once = make(network, space, digits)
    assert twice.evaluate(request).weights == once.evaluate(request).weights
