"""Trained CIFAR ResNets, where there are some: name them in the environment to run this.

AUTOPRUNE_CIFAR_DATA=imagefolder:DIR AUTOPRUNE_CIFAR_WEIGHTS=resnet20.safetensors make soak
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from autoprune.cache import cache_folder
from autoprune.data.registry import load_data
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Metric
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.scoring import validate
from autoprune.models.registry import build_model
from autoprune.models.weights import load_weights
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import SearchSpace

DATA, WEIGHTS = "AUTOPRUNE_CIFAR_DATA", "AUTOPRUNE_CIFAR_WEIGHTS"


@pytest.mark.soak
@pytest.mark.skipif(
    not (os.environ.get(DATA) and os.environ.get(WEIGHTS)), reason=f"set {DATA} and {WEIGHTS}"
)
def test_trained_weights_score_as_trained_and_survive_light_pruning() -> None:
    dataset = load_data(os.environ[DATA], cache_dir=cache_folder())
    model = build_model("autoprune:resnet20", classes=10)
    load_weights(model, Path(os.environ[WEIGHTS]))
    before = validate(model, dataset, "val")[1]
    assert before > 0.85
    space: SearchSpace = find_groups(model, torch.zeros(1, 3, 32, 32))
    evaluator = NetworkEvaluator(model, space, dataset, criterion="l2", metric=Metric(), seed=0)
    widths = {group.name: group.choices[-2] for group in space.groups}
    result = evaluator.evaluate(EvaluationRequest(widths, Fidelity(steps=30)))
    assert result.error is None
    assert result.accuracy is not None
    assert before - 0.15 < result.accuracy <= before + 0.02
