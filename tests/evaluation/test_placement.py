"""What follows a network to another device; torch's "meta" device stands in for a GPU."""

import pytest
import torch
from torch import nn

from autoprune.data.task import Task
from autoprune.evaluation import held_batches
from autoprune.evaluation.batches import ScoringBatches, TrainingBatches
from autoprune.evaluation.held_batches import HeldBatches
from autoprune.evaluation.placement import CPU, arranged, device_of, follow, placed

ELSEWHERE = torch.device("meta")


def test_a_network_is_where_its_first_tensor_is():
    assert device_of(nn.Linear(2, 2).to(ELSEWHERE)) == ELSEWHERE
    assert device_of(nn.BatchNorm1d(2, affine=False)) == CPU
    assert device_of(nn.Flatten()) == CPU


def test_a_network_that_is_there_is_itself_and_another_one_is_copied():
    network = nn.Linear(2, 2)
    assert placed(network, CPU) is network
    assert device_of(placed(network, ELSEWHERE)) == ELSEWHERE
    assert device_of(network) == CPU


def test_channels_are_last_in_memory_on_a_cpu_alone():
    network = nn.Conv2d(4, 4, 3)
    arranged(network, torch.channels_last)
    assert network.weight.is_contiguous(memory_format=torch.channels_last)
    arranged(network, torch.channels_last, ELSEWHERE)
    assert network.weight.is_contiguous()


def test_tensors_of_a_tree_follow_and_the_rest_stays():
    tree = {"boxes": [torch.ones(2, 4)], "size": (3, "pixels")}
    followed = follow(tree, ELSEWHERE)
    assert followed["boxes"][0].device == ELSEWHERE
    assert followed["size"] == (3, "pixels")
    assert follow(tree, CPU) is tree


@pytest.mark.parametrize(
    "batches",
    [
        lambda data: TrainingBatches(data, 8, 1, "finetune", device=ELSEWHERE).first(2),
        lambda data: ScoringBatches(data, "val", 10, 8, ELSEWHERE),
    ],
    ids=["training", "scoring"],
)
def test_batches_are_handed_out_there(digits, batches):
    for images, labels in batches(digits):
        assert images.device == labels.device == ELSEWHERE
        assert images.is_contiguous()


def stream(digits, device=ELSEWHERE, size=8) -> TrainingBatches:
    return TrainingBatches(digits, size, 1, "finetune", device=device)


def test_batches_on_a_gpu_are_made_once(digits):
    held = HeldBatches()
    first = list(held.first(stream(digits), 3))
    assert [a is b for a, b in zip(held.first(stream(digits), 2), first, strict=False)] == [
        True
    ] * 2
    assert len(list(held.first(stream(digits), 5))) == 5
    assert len(next(iter(held.first(stream(digits, size=4), 1)))[1]) == 4


def test_large_batches_and_those_of_a_cpu_are_not_held(digits, monkeypatch):
    on_cpu = HeldBatches()
    (once,), (again,) = (list(on_cpu.first(stream(digits, CPU), 1)) for _ in range(2))
    assert torch.equal(once[0], again[0])
    assert once[0] is not again[0]
    monkeypatch.setattr(held_batches, "MOST_BYTES", 1000)
    assert not kept_for_the_next(digits)


def kept_for_the_next(data) -> bool:
    held = HeldBatches()
    (once,), (again,) = (list(held.first(stream(data), 1)) for _ in range(2))
    return once[0] is again[0]


def test_batches_of_a_task_are_its_own_to_change(digits):
    assert kept_for_the_next(digits)
    task = Task(loss=lambda outputs, targets: outputs.sum())
    assert not kept_for_the_next(digits.for_task(task))
