"""How good a network is on a split."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from autoprune.data.dataset import Dataset, SplitName
from autoprune.data.factories import import_reference, is_reference
from autoprune.errors import UnknownNameError
from autoprune.evaluation.batches import SCORING_BATCH, ScoringBatches
from autoprune.evaluation.contract import Metric
from autoprune.spec import METRICS

HOTTEST = 20.0
BISECTIONS = 24
"""Leave the temperature within a millionth: the loss is flat there."""

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
    scores = _validate(model, ScoringBatches(dataset, split, limit, batch_size))
    return scores.loss, scores.accuracy


def calibrated_loss(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Least mean cross-entropy of logits / T over temperatures T from 1/20 to 20.

    A network that was finetuned for a few steps is far too sure of itself, and the more so the more
    it was pruned; a longer finetune mends that before anything else, so it says little of how good
    the network will be. Cross-entropy is convex in 1 / T (temperature scaling: Guo et al.,
    arXiv 1706.04599, section 4.2).

    Args:
        logits: [N, K].
        labels: [N].
    """
    logits = logits.double()
    of_label = logits.gather(1, labels[:, None]).mean()
    low, high = -math.log(HOTTEST), math.log(HOTTEST)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        expected = (functional.softmax(math.exp(middle) * logits, dim=1) * logits).sum(1).mean()
        low, high = (middle, high) if expected < of_label else (low, middle)
    return float(functional.cross_entropy(math.exp(0.5 * (low + high)) * logits, labels))


def _validate(model: nn.Module, batches: ScoringBatches, *, calibrate: bool = False) -> Scores:
    """The loss, calibrated where it is asked for, is the score."""
    loss, correct, count = 0.0, 0, 0
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    with evaluating(model):
        for images, labels in batches:
            logits = model(images)
            loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
            correct += int((logits.argmax(1) == labels).sum())
            count += len(labels)
            if calibrate:
                seen.append((logits, labels))
    mean = loss / count
    if not calibrate or not math.isfinite(mean):
        return Scores(mean, mean, correct / count)
    of_all = calibrated_loss(torch.cat([x for x, _ in seen]), torch.cat([y for _, y in seen]))
    return Scores(of_all, mean, correct / count)


def find_metric(metric: Metric) -> MetricFunction | None:
    """The user's function behind a metric; None for those that need none.

    Raises:
        UnknownNameError: neither one of those nor something that can be imported.
    """
    if metric.name in METRICS:
        return None
    if not is_reference(metric.name):
        known = [*METRICS, "package.module:function", "path/file.py:function"]
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
    batches = ScoringBatches(dataset, split, limit, batch_size)
    scores = _validate(model, batches, calibrate=metric.name == "calibrated-loss")
    if function is not None:
        with evaluating(model):
            scores = replace(scores, score=float(function(model, batches)))
    elif metric.name == "accuracy":
        scores = replace(scores, score=scores.accuracy)
    return scores
