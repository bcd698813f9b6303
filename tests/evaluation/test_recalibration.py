"""Recalibration replaces batch-norm statistics by plain averages, and touches nothing else."""

import copy

import torch
from torch import nn

from autoprune.evaluation.batches import TrainingBatches
from autoprune.evaluation.recalibration import recalibrate


def batches(count: int = 5) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(16, 3, 4, 4, generator=generator) * (1 + n), torch.zeros(16).long())
        for n in range(count)
    ]


def test_statistics_become_the_average_over_the_batches():
    norm = nn.BatchNorm2d(3)
    norm.running_mean.fill_(99.0)  # must be forgotten
    given = batches()
    recalibrate(nn.Sequential(norm), given)
    means = torch.stack([images.mean((0, 2, 3)) for images, _ in given])
    variances = torch.stack([images.var((0, 2, 3)) for images, _ in given])
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    torch.testing.assert_close(norm.running_var, variances.mean(0))


def test_statistics_that_an_instance_norm_keeps_are_averaged_alike():
    norm = nn.InstanceNorm2d(3, track_running_stats=True, momentum=0.3)
    norm.running_mean.fill_(99.0)
    given = batches()
    recalibrate(nn.Sequential(norm), given)
    variances = torch.stack([images.var((2, 3)).mean(0) for images, _ in given])
    torch.testing.assert_close(norm.running_var, variances.mean(0))
    means = torch.stack([images.mean((0, 2, 3)) for images, _ in given])
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    assert (norm.momentum, norm.training) == (0.3, False)


def test_everything_but_the_statistics_stays(digits, network):
    model = copy.deepcopy(network).train()
    recalibrate(model, TrainingBatches(digits, 32, 0, "x", augment=False).first(3))
    for (name, before), after in zip(network.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(before, after), name
        assert after.grad is None
    assert model.bn1.momentum == network.bn1.momentum
    assert not any(module.training for module in model.modules())
    assert not torch.equal(model.bn2.running_mean, network.bn2.running_mean)


def test_dropout_is_off_while_measuring():
    norm = nn.BatchNorm2d(3)
    recalibrate(nn.Sequential(nn.Dropout(0.5), norm), batches())
    plain = nn.BatchNorm2d(3)
    recalibrate(nn.Sequential(plain), batches())
    assert torch.equal(norm.running_var, plain.running_var)


def test_a_norm_that_stays_in_evaluation_mode_keeps_its_statistics():
    class Kept(nn.BatchNorm2d):
        def train(self, mode=True):
            return super().train(False)

    class KeepsFirst(nn.Sequential):
        def train(self, mode=True):
            super().train(mode)
            self[0].eval()
            return self

    model = KeepsFirst(nn.BatchNorm2d(3), Kept(3), nn.BatchNorm2d(3))
    for norm in model:
        norm.running_mean.fill_(5.0)
    recalibrate(model, batches())
    assert [bool((norm.running_mean == 5.0).all()) for norm in model] == [True, True, False]
    assert not any(norm.training for norm in model)


def test_a_network_without_batch_norm_is_not_run():
    def unused():
        raise AssertionError("no batch is needed")
        yield

    model = nn.Linear(2, 2).train()
    recalibrate(model, unused())
    assert not model.training
