"""Validation is exact, leaves the network as it was, and takes the user's metric."""

import copy
import math

import pytest
import torch
from torch.nn import functional

from autoprune.errors import InputError, UnknownNameError
from autoprune.evaluation.contract import Metric
from autoprune.evaluation.scoring import calibrated_loss, score, validate

METRIC = """
def worst_class(model, batches):
    assert not model.training
    right, seen = [0] * 10, [0] * 10
    for _ in range(2):  # batches can be iterated again
        for images, labels in batches:
            for answer, label in zip(model(images).argmax(1).tolist(), labels.tolist()):
                right[label] += answer == label
                seen[label] += 1
    return min(r / s for r, s in zip(right, seen))
"""


def test_validate_is_the_mean_cross_entropy_and_the_accuracy(digits, network):
    with torch.no_grad():
        logits = network(digits.normalise(digits.val.images))
    loss, accuracy = validate(network, digits, batch_size=96)
    assert loss == pytest.approx(float(functional.cross_entropy(logits, digits.val.labels)))
    assert accuracy == int((logits.argmax(1) == digits.val.labels).sum()) / 400


def test_validate_ignores_and_restores_the_mode(digits, network):
    model = copy.deepcopy(network).train()
    model.bn1.eval()
    assert validate(model, digits) == validate(network, digits)
    assert model.training
    assert model.bn2.training
    assert not model.bn1.training
    assert torch.equal(model.bn2.running_mean, network.bn2.running_mean)


def test_a_limit_scores_fewer_images(digits, network):
    _, accuracy = validate(network, digits, limit=7)
    assert (accuracy * 7) == pytest.approx(round(accuracy * 7))


def test_the_calibrated_loss_is_the_least_over_temperatures():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(300, 5, generator=generator), torch.arange(300) % 5
    logits[torch.arange(300), labels] += 1.5
    tried = [
        float(functional.cross_entropy(logits / t, labels)) for t in torch.logspace(-1, 1, 500)
    ]
    found = calibrated_loss(logits, labels)
    assert min(tried) - 1e-4 < found <= min(tried)
    for factor in (0.2, 7.0):  # how sure the network is of itself does not matter
        assert calibrated_loss(factor * logits, labels) == pytest.approx(found, rel=1e-5)


def test_the_calibrated_loss_of_guesses_is_that_of_a_guess():
    logits = torch.randn(300, 4, generator=torch.Generator().manual_seed(1))
    labels = logits.argmin(1)  # worse than a guess: no temperature helps
    assert calibrated_loss(logits, labels) == pytest.approx(math.log(4), abs=0.06)


def test_scores_by_the_calibrated_loss_keep_the_loss_beside(digits, network):
    scores = score(network, digits, Metric("calibrated-loss"))
    assert (scores.loss, scores.accuracy) == validate(network, digits)
    with torch.no_grad():
        logits = network(digits.normalise(digits.val.images))
    assert scores.score == pytest.approx(calibrated_loss(logits, digits.val.labels), rel=1e-5)
    assert scores.score < scores.loss


@pytest.mark.parametrize("name", ["loss", "accuracy"])
def test_the_score_is_what_the_metric_names(digits, network, name):
    scores = score(network, digits, Metric(name))
    assert scores.score == getattr(scores, name)
    assert (scores.loss, scores.accuracy) == validate(network, digits)


def test_a_metric_of_the_users_is_called(digits, network, tmp_path):
    (tmp_path / "my_metric.py").write_text(METRIC)
    scores = score(network, digits, Metric(f"{tmp_path}/my_metric.py:worst_class", "maximize"))
    assert 0.0 < scores.score < scores.accuracy


def test_an_unknown_metric_lists_what_there_is(digits, network):
    with pytest.raises(
        UnknownNameError, match="unknown metric 'f1'; there is: accuracy, calibrated-loss, loss"
    ):
        score(network, digits, Metric("f1"))


def test_a_metric_missing_from_its_file_is_named(digits, network, tmp_path):
    (tmp_path / "my_metric.py").write_text(METRIC)
    with pytest.raises(InputError, match="has no 'best_class'; it has: worst_class"):
        score(network, digits, Metric(f"{tmp_path}/my_metric.py:best_class"))
