"""On a GPU scores are repeatable to the bit, and what a job does there is what it does on a CPU."""

import copy
import dataclasses
import random

import pytest
import torch
from tiny_network import FIDELITY
from torch import nn

import autoprune
from autoprune.data.seeding import isolated_randomness
from autoprune.evaluation.batches import TrainingBatches
from autoprune.evaluation.contract import EvaluationRequest, Metric, Probe
from autoprune.evaluation.descent import make_optimizer
from autoprune.evaluation.environment import (
    environment_fingerprint,
    prepare_training,
    settings_kept,
)
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.losses import DivergedError
from autoprune.evaluation.objective import CLASSES
from autoprune.evaluation.placement import device_of
from autoprune.evaluation.ranking import Rankings
from autoprune.evaluation.replaying import FEWEST, ReplayedSteps, steps_of
from autoprune.evaluation.stepping import EagerSteps
from autoprune.evaluation.training import TrainingPlan, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
HALF = {"conv1": 4, "conv2": 8}
GPU = torch.device("cuda", 0)
LONG = dataclasses.replace(FIDELITY, steps=FEWEST + 2, teacher=0.5)
"""Enough steps for one to be recorded."""


@pytest.fixture(autouse=True)
def _deterministic():
    with settings_kept():
        prepare_training(1, "cuda")
        yield


def make(network, space, digits, device, criterion="l2") -> NetworkEvaluator:
    return NetworkEvaluator(
        network, space, digits, criterion=criterion, metric=Metric(), seed=11, device=device
    )


def evaluated(evaluator, request):
    return dataclasses.replace(evaluator.evaluate(request), seconds=0.0)


@pytest.mark.parametrize("criterion", ["l2", "taylor"])
def test_a_score_is_the_same_every_time_and_close_to_the_cpus(network, space, digits, criterion):
    request = EvaluationRequest(HALF, LONG, want_weights=True)
    here, again = (
        evaluated(make(network, space, digits, GPU, criterion), request) for _ in range(2)
    )
    assert here.error is None
    assert here == again
    there = evaluated(make(network, space, digits, torch.device("cpu"), criterion), request)
    assert here.score == pytest.approx(there.score, rel=0.2)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[n], theirs[n]) for n in mine)


def test_dropout_on_the_gpu_depends_on_the_seed_alone(network):
    model, images = copy.deepcopy(network).to(GPU).train(), torch.rand(8, 1, 8, 8, device=GPU)
    outputs = []
    for foreign in (1, 2):
        torch.cuda.manual_seed(foreign)
        with isolated_randomness(5):
            outputs.append(model(images))
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], model(images))


def test_a_child_goes_on_from_its_parents_weights(network, space, digits):
    evaluator = make(network, space, digits, GPU)
    full = EvaluationRequest({"conv1": 8, "conv2": 16}, LONG, want_weights=True)
    parent = evaluator.evaluate(full).weights
    child = EvaluationRequest(HALF, LONG, parent)
    assert evaluated(evaluator, child) == evaluated(make(network, space, digits, GPU), child)


def test_a_probe_is_the_same_from_a_recording_and_close_to_the_cpus(network, space, digits):
    late = EvaluationRequest({"conv1": 8, "conv2": 4}, Probe(images=128))
    first = make(network, space, digits, GPU)
    here = evaluated(first, late)
    assert here.error is None
    assert here == evaluated(first, late)
    there = evaluated(make(network, space, digits, torch.device("cpu")), late)
    assert here.score == pytest.approx(there.score, rel=1e-2)


def test_gradients_come_back_to_the_cpu(network, space, digits):
    ranking = Rankings(network, space, digits, "taylor", 11, GPU).base()
    assert all(units.device.type == "cpu" for units in ranking.choose(HALF).values())


def test_a_resumed_training_ends_with_the_same_bits(network, digits):
    plan = TrainingPlan(epochs=2, batch_size=64, learning_rate=0.05, teacher=0.5)
    saved: list[bytes] = []

    def run(resume: bytes | None) -> nn.Module:
        model, teacher = (copy.deepcopy(network).to(GPU) for _ in range(2))
        return train(
            model,
            digits,
            plan,
            seed=3,
            teacher=teacher,
            resume=resume,
            on_epoch=lambda _epoch, checkpoint, _loss: saved.append(checkpoint),
        )

    assert same_weights(run(None), run(saved[0]))


def test_a_model_on_the_gpu_is_searched_there(network, digits, tmp_path):
    def batches(split):
        images = digits.normalise(split.images).split(64)
        return list(zip(images, split.labels.split(64), strict=True))

    def search(db: str):
        return autoprune.search(
            copy.deepcopy(network).to(GPU),
            torch.rand(1, 1, 8, 8),
            train=batches(digits.train),
            val=batches(digits.val),
            test=batches(digits.test),
            trials=6,
            budget="macs=50%",
            finetune_epochs=1,
            fidelity={"steps": 4, "batch_size": 32, "recalibration_batches": 2},
            unmeasured=True,
            db=str(tmp_path / db),
        )

    once, again = search("a.db"), search("b.db")
    assert same_weights(once.model, again.model)
    assert torch.cuda.get_device_name(0) in environment_fingerprint(1, "cuda")
    assert device_of(once.model) == torch.device("cpu")


def test_replayed_steps_do_what_computed_ones_do(network, digits):
    batches = TrainingBatches(digits, 64, 3, "finetune", device=GPU)

    def run(replayed: bool) -> tuple[nn.Module, list[float]]:
        model = copy.deepcopy(network).to(GPU).train()
        eager = EagerSteps(model, make_optimizer(model, 0.1, 0.9, 5e-4), CLASSES)
        steps = ReplayedSteps(eager) if replayed else eager
        with isolated_randomness(7):
            for step, (images, targets) in enumerate(batches.first(12)):
                steps.take(images, targets, None, 0.1 / (1 + step), step)
        assert isinstance(steps_of(eager, CLASSES, 12), ReplayedSteps)
        assert not replayed or steps.replays
        return model, steps.losses()

    (once, losses), (again, same), (computed, close) = run(True), run(True), run(False)
    assert losses == same
    assert same_weights(once, again)
    assert losses == pytest.approx(close, rel=1e-2)
    assert once.bn1.num_batches_tracked == computed.bn1.num_batches_tracked


def looks_at_a_number(x: torch.Tensor) -> torch.Tensor:
    return x if float(x.mean()) < 1e9 else x + 1.0


def draws_on_the_cpu(x: torch.Tensor) -> torch.Tensor:
    return x if random.random() < 2.0 else x + 1.0


def waits_for_the_gpu(x: torch.Tensor) -> torch.Tensor:
    torch.cuda.current_stream().synchronize()
    return x


@pytest.mark.parametrize("act", [looks_at_a_number, waits_for_the_gpu, draws_on_the_cpu])
def test_a_network_that_is_not_the_same_every_time_is_not_recorded(network, digits, act):
    class Acting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = copy.deepcopy(network)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(act(x))

    batches = TrainingBatches(digits, 64, 3, "finetune", device=GPU)
    model = Acting().to(GPU).train()
    before = copy.deepcopy(model)
    steps = ReplayedSteps(EagerSteps(model, make_optimizer(model, 0.1, 0.9, 5e-4), CLASSES))
    for step, (images, targets) in enumerate(batches.first(3)):
        steps.take(images, targets, None, 0.0, step)
    assert len(steps.losses()) == 3
    assert not steps.replays
    assert torch.equal(before.inner.conv1.weight, model.inner.conv1.weight)


def test_a_loss_that_is_not_finite_is_found_when_the_losses_are_asked_for(network, digits):
    model = copy.deepcopy(network).to(GPU).train()
    steps = ReplayedSteps(EagerSteps(model, make_optimizer(model, 1e30, 0.9, 0.0), CLASSES))
    for step, (images, targets) in enumerate(
        TrainingBatches(digits, 64, 3, "finetune", device=GPU).first(4)
    ):
        steps.take(images, targets, None, 1e30, step)
    with pytest.raises(DivergedError, match=r"at step [123]"):
        steps.losses()
