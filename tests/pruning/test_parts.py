"""A part of a network is a network whose layers have the names they have in the whole."""

import pytest
import torch
from torch import nn

from autoprune.errors import TaskError
from autoprune.pruning.groups import find_groups
from autoprune.pruning.network import read_network
from autoprune.pruning.parts import part_of
from autoprune.pruning.surgery import prune


class Whole(nn.Module):
    """A head that no export would get through, on features of a part of a part."""

    def __init__(self) -> None:
        super().__init__()
        body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3))
        self.features = nn.ModuleDict({"body": body})
        self.head = nn.Linear(6, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = self.features["body"](images).mean((2, 3))
        return self.head(found[found[:, 0] > 0])


IMAGES = torch.randn(4, 3, 9, 9, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def whole() -> Whole:
    torch.manual_seed(0)
    return Whole().eval()


def test_the_part_alone_is_grouped_and_priced_under_its_full_names(whole: Whole) -> None:
    part = part_of(whole, "features.body")
    space = find_groups(part, IMAGES[:1], divisor=2)
    assert [group.name for group in space.groups] == ["features.body.0"]
    assert [left.name for left in space.left_out] == ["features.body.2"]
    assert [term.layer for term in read_network(part, IMAGES[:1], space).terms] == [
        "features.body.0",
        "features.body.2",
    ]


def test_the_whole_is_pruned_by_the_groups_of_its_part(whole: Whole) -> None:
    space = find_groups(part_of(whole, "features.body"), IMAGES[:1], divisor=2)
    pruned = prune(whole, space, {"features.body.0": torch.tensor([0, 3, 5, 7])})
    assert pruned.features["body"][0].out_channels == 4
    assert pruned(IMAGES).shape[1] == 2
    assert whole.features["body"][0].out_channels == 8


def test_a_part_shares_its_tensors_and_keeps_its_mode(whole: Whole) -> None:
    part = part_of(whole, "features.body")
    assert part.get_parameter("features.body.0.weight") is whole.features["body"][0].weight
    assert not part.training
    assert torch.equal(part(IMAGES), whole.features["body"](IMAGES))
    assert part_of(whole, "") is whole


def test_a_part_that_is_not_there_is_named_with_what_there_is(whole: Whole) -> None:
    with pytest.raises(
        TaskError, match=r"part 'backbone' .* no submodule of Whole; there is: feat"
    ):
        part_of(whole, "backbone")
