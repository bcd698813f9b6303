"""Second moments of what the consumers of prunable channels read."""

import pytest
import torch
from torch import nn

from autoprune.evaluation import moments
from autoprune.evaluation.moments import measure_moments
from autoprune.pruning.groups import find_groups


class Mixed(nn.Module):
    """Consumers of every kind: plain, grouped, one-dimensional, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.wide = nn.Conv2d(8, 8, 1)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.row = nn.Conv1d(8, 8, 3)
        self.last = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.start(x)))
        x = self.depth(self.wide(x)).mean(2)
        return self.last(self.row(x).mean(2))


@pytest.fixture
def network() -> Mixed:
    torch.manual_seed(0)
    return Mixed().eval()


BATCHES = [
    (torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(n)), torch.zeros(4))
    for n in range(3)
]


def test_they_are_means_over_images_and_positions(network: Mixed) -> None:
    space = find_groups(network, BATCHES[0][0])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = measure_moments(network, space, BATCHES)
    images = torch.cat([images for images, _ in BATCHES])
    with torch.no_grad():
        read = torch.relu(network.norm(network.start(images)))
        rows = read.movedim(1, -1).reshape(-1, 8)
        deep = network.depth(network.wide(read)).mean(2)
        in_rows = deep.movedim(1, -1).reshape(-1, 8)
        last = network.row(deep).mean(2)
    assert set(found) == {"wide.weight", "row.weight", "last.weight"}
    for name, expected in (("wide", rows), ("row", in_rows), ("last", last)):
        moment = expected.T @ expected / len(expected)
        assert torch.allclose(found[f"{name}.weight"], moment, atol=1e-5)
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    assert not network.wide._forward_pre_hooks


def test_a_layer_that_reads_too_many_channels_is_left_alone(
    network: Mixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = find_groups(network, BATCHES[0][0])
    monkeypatch.setattr(moments, "LARGEST", 7)
    assert measure_moments(network, space, BATCHES) == {}
