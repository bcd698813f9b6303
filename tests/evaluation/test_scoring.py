"""Validation is exact, leaves the network as it was, and takes the user's metric."""

import copy

import pytest
import torch
from torch.nn import functional

from autoprune.errors import InputError, UnknownNameError
from autoprune.evaluation.contract import Metric
from autoprune.evaluation.scoring import score, validate

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
    with pytest.raises(UnknownNameError, match="unknown metric 'f1'; there is: accuracy, loss"):
        score(network, digits, Metric("f1"))


def test_a_metric_missing_from_its_file_is_named(digits, network, tmp_path):
    (tmp_path / "my_metric.py").write_text(METRIC)
    with pytest.raises(InputError, match="has no 'best_class'; it has: worst_class"):
        score(network, digits, Metric(f"{tmp_path}/my_metric.py:best_class"))
