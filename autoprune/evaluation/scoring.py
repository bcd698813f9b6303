"""How good a network is on a split."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from autoprune.data.dataset import Dataset, SplitName
from autoprune.data.factories import import_reference, is_reference
from autoprune.errors import UnknownNameError
from autoprune.evaluation.batches import SCORING_BATCH, ScoringBatches
from autoprune.evaluation.contract import Metric

MetricFunction = Callable[[nn.Module, ScoringBatches], float]
"""A user's metric: network in eval mode, batches of (images, labels) -> score."""


@dataclass(frozen=True)
class Scores:
    """The metric's score, mean cross-entropy and accuracy in [0, 1] on a split."""

    score: float
    loss: float
    accuracy: float


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside, ``model`` is in eval mode and nothing records gradients; its modes come back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def validate(
    model: nn.Module,
    dataset: Dataset,
    split: SplitName = "val",
    limit: int = 0,
    batch_size: int = SCORING_BATCH,
) -> tuple[float, float]:
    """(mean cross-entropy, accuracy in [0, 1]) on a split.

    ``limit`` images are scored, the classes in proportion; 0 means all. ``batch_size`` decides the
    last bits of the loss.
    """
    loss, correct, count = 0.0, 0, 0
    with evaluating(model):
        for images, labels in ScoringBatches(dataset, split, limit, batch_size):
            logits = model(images)
            loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
            correct += int((logits.argmax(1) == labels).sum())
            count += len(labels)
    return loss / count, correct / count


def find_metric(metric: Metric) -> MetricFunction | None:
    """The user's function behind a metric; None for the two that need none.

    Raises:
        UnknownNameError: neither ``loss``, ``accuracy`` nor something that can be imported.
    """
    if metric.name in ("loss", "accuracy"):
        return None
    if not is_reference(metric.name):
        known = ["loss", "accuracy", "package.module:function", "path/file.py:function"]
        raise UnknownNameError("metric", metric.name, known)
    function: MetricFunction = import_reference(metric.name)
    return function


def metric_code(metric: Metric) -> str | None:
    """Hash of the file a user's metric is defined in, so that an edited one is another metric."""
    function = find_metric(metric)
    if function is None:
        return None
    source = inspect.getsourcefile(inspect.unwrap(function))
    return None if source is None else hashlib.sha256(Path(source).read_bytes()).hexdigest()


def score(
    model: nn.Module,
    dataset: Dataset,
    metric: Metric,
    split: SplitName = "val",
    limit: int = 0,
    batch_size: int = SCORING_BATCH,
) -> Scores:
    """Score ``model`` by ``metric``, with loss and accuracy beside it; as :func:`validate`."""
    function = find_metric(metric)
    loss, accuracy = validate(model, dataset, split, limit, batch_size)
    if function is None:
        return Scores(loss if metric.name == "loss" else accuracy, loss, accuracy)
    with evaluating(model):
        value = float(function(model, ScoringBatches(dataset, split, limit, batch_size)))
    return Scores(value, loss, accuracy)
