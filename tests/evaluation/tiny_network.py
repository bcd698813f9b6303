"""A small network with batch norm and dropout, its search space, and a process that scores it."""

import hashlib
import sys

import torch
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.registry import load_data
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Metric
from autoprune.evaluation.environment import prepare_training
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.training import TrainingPlan, train
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import SearchSpace

FIDELITY = Fidelity(steps=6, batch_size=32, learning_rate=0.05, recalibration_batches=4)


class TinyNetwork(nn.Module):
    """Two convolutions for 8x8 grey images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1, stride=2, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.dropout = nn.Dropout(0.2)
        self.linear = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return self.linear(self.dropout(out.flatten(1)))


def untrained() -> TinyNetwork:
    """The same initial weights every time."""
    torch.manual_seed(3)
    return TinyNetwork()


def trained(dataset: Dataset) -> nn.Module:
    plan = TrainingPlan(epochs=4, batch_size=32, learning_rate=0.2)
    return train(untrained(), dataset, plan, seed=5)


def space_of(model: nn.Module) -> SearchSpace:
    return find_groups(model, torch.rand(2, 1, 8, 8))


def main() -> None:
    """Print the exact score and the hash of the weights of one request."""
    prepare_training(1)
    torch.manual_seed(int(sys.argv[1]))  # must not matter
    dataset = load_data("digits")
    model = untrained()
    evaluator = NetworkEvaluator(
        model, space_of(model), dataset, criterion="l2", metric=Metric(), seed=11
    )
    result = evaluator.evaluate(
        EvaluationRequest({"conv1": 4, "conv2": 8}, FIDELITY, want_weights=True)
    )
    print(repr(result.score), hashlib.sha256(result.weights or b"").hexdigest())


if __name__ == "__main__":
    main()
