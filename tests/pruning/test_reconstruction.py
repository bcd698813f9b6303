"""Consumers of pruned channels are fitted to the channels kept, by least squares."""

import pytest
import torch
from torch import nn

from autoprune.pruning.groups import find_groups
from autoprune.pruning.reconstruction import reconstruct
from autoprune.pruning.surgery import prune


class Chain(nn.Module):
    """A convolution that is read by a convolution, which is read by a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 4, 3, padding=1, bias=False)
        self.last = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.second(torch.relu(self.first(x))).mean((2, 3)))


def second_moments(rows: torch.Tensor) -> torch.Tensor:
    return rows.T @ rows / len(rows)


def channels(images: torch.Tensor) -> torch.Tensor:
    return images.movedim(1, -1).reshape(-1, images.shape[1])


@pytest.fixture
def chain() -> Chain:
    torch.manual_seed(0)
    return Chain().eval()


IMAGES = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))
KEPT = {"first": torch.tensor([0, 2, 3, 5]), "second": torch.arange(4)}


def moments_of(chain: Chain) -> dict[str, torch.Tensor]:
    return {"second.weight": second_moments(channels(torch.relu(chain.first(IMAGES))).detach())}


def test_channels_that_others_can_tell_are_lost_without_a_loss(chain: Chain) -> None:
    with torch.no_grad():  # channels 1 and 4 are twice channel 0 and thrice channel 5
        chain.first.weight[1], chain.first.bias[1] = (
            2 * chain.first.weight[0],
            2 * chain.first.bias[0],
        )
        chain.first.weight[4], chain.first.bias[4] = (
            3 * chain.first.weight[5],
            3 * chain.first.bias[5],
        )
        space = find_groups(chain, IMAGES[:2], divisor=1)
        state = chain.state_dict()
        plain = prune(chain, space, KEPT, state)(IMAGES)
        fitted = reconstruct(state, space, KEPT, moments_of(chain))
        pruned = prune(chain, space, KEPT, fitted)(IMAGES)
        wanted = chain(IMAGES)
    assert (pruned - wanted).abs().max() < 0.02 * (plain - wanted).abs().max()


def test_no_other_prediction_from_the_kept_channels_has_a_smaller_error(chain: Chain) -> None:
    space = find_groups(chain, IMAGES[:2], divisor=1)
    fitted = reconstruct(chain.state_dict(), space, KEPT, moments_of(chain))["second.weight"]
    rows = channels(torch.relu(chain.first(IMAGES))).detach().double()
    kept, lost = [0, 2, 3, 5], [1, 4]
    best = torch.linalg.lstsq(rows[:, kept], rows[:, lost]).solution
    old = chain.second.weight.detach().double()
    expected = old[:, kept] + torch.einsum("kr,orij->okij", best, old[:, lost])
    assert torch.allclose(fitted[:, kept].double(), expected, atol=2e-3)
    assert torch.equal(fitted[:, lost], chain.second.weight[:, lost])


def test_only_what_reads_lost_channels_is_changed(chain: Chain) -> None:
    space = find_groups(chain, IMAGES[:2], divisor=1)
    state = chain.state_dict()
    fitted = reconstruct(state, space, KEPT, moments_of(chain))
    changed = [name for name in state if fitted[name] is not state[name]]
    assert changed == ["second.weight"]
    everything = {"first": torch.arange(6), "second": torch.arange(4)}
    assert all(
        tensor is state[name]
        for name, tensor in reconstruct(state, space, everything, moments_of(chain)).items()
    )


def test_without_moments_or_with_dead_channels_weights_stay(chain: Chain) -> None:
    space = find_groups(chain, IMAGES[:2], divisor=1)
    state = chain.state_dict()
    dead = {"second.weight": torch.zeros(6, 6)}
    vanishing = {"second.weight": 1e-42 * torch.rand(6, 6)}
    for moments in ({}, dead, vanishing):
        fitted = reconstruct(state, space, KEPT, moments)
        assert all(torch.equal(fitted[name], state[name]) for name in state)
