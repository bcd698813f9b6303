"""The short finetune is plain SGD with a cosine, and learns from labels or from a teacher."""

import copy
import math

import pytest
import torch
from tiny_network import untrained
from torch.nn import functional

from autoprune.evaluation.batches import TrainingBatches
from autoprune.evaluation.contract import Fidelity
from autoprune.evaluation.finetune import short_finetune
from autoprune.evaluation.losses import DivergedError, distillation_loss
from autoprune.evaluation.scoring import validate
from autoprune.evaluation.teacher import Teacher


def without_dropout():
    model = untrained()
    model.dropout.p = 0.0
    return model


def test_it_is_sgd_with_momentum_weight_decay_and_a_cosine(digits):
    fidelity = Fidelity(steps=5, batch_size=16, learning_rate=0.1, momentum=0.8, weight_decay=0.01)
    batches = TrainingBatches(digits, 16, 0, "finetune")
    model, reference = without_dropout(), without_dropout()
    short_finetune(model, batches.first(5), fidelity)
    momenta = {name: torch.zeros_like(value) for name, value in reference.named_parameters()}
    reference.train()
    for step, (images, labels) in enumerate(batches.first(5)):
        reference.zero_grad()
        functional.cross_entropy(reference(images), labels).backward()
        rate = 0.1 * 0.5 * (1 + math.cos(math.pi * step / 5))
        with torch.no_grad():
            for name, value in reference.named_parameters():
                momenta[name] = 0.8 * momenta[name] + value.grad + 0.01 * value
                value -= rate * momenta[name]
    for value, expected in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)


class Skipping(torch.nn.Module):
    """The layer in the middle waits until the third step, another is never called."""

    def __init__(self):
        super().__init__()
        self.first, self.middle = torch.nn.Linear(64, 16), torch.nn.Linear(16, 16)
        self.last, self.unused = torch.nn.Linear(16, 10), torch.nn.Linear(16, 10)
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        hidden = self.first(images.flatten(1)).relu()
        return self.last(self.middle(hidden).relu() if self.calls > 2 else hidden)


def test_a_layer_that_the_first_steps_leave_out_is_trained_from_then_on(digits):
    torch.manual_seed(0)
    model = Skipping()
    reference = copy.deepcopy(model)
    fidelity = Fidelity(steps=5, batch_size=16, learning_rate=0.1, momentum=0.8, weight_decay=0.01)
    batches = TrainingBatches(digits, 16, 0, "finetune")
    short_finetune(model, batches.first(5), fidelity)
    optimizer = torch.optim.SGD(
        reference.parameters(), lr=0.1, momentum=0.8, weight_decay=0.01, fused=False
    )
    for step, (images, labels) in enumerate(batches.first(5)):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.5 * (1 + math.cos(math.pi * step / 5))
        optimizer.zero_grad()
        functional.cross_entropy(reference(images), labels).backward()
        optimizer.step()
    for value, expected in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)


def test_it_lowers_the_loss_and_leaves_eval_mode(digits):
    model = untrained()
    before, _ = validate(model, digits)
    batches = TrainingBatches(digits, 32, 0, "finetune")
    short_finetune(model, batches.first(40), Fidelity(steps=40, learning_rate=0.1))
    after, _ = validate(model, digits)
    assert after < before - 0.3
    assert not model.training


def test_a_teacher_alone_teaches(digits, network):
    def distance(model) -> float:
        images = digits.normalise(digits.val.images)
        with torch.no_grad():
            return float(distillation_loss(model(images), network(images)))

    student = without_dropout().eval()
    before = distance(student)
    batches = TrainingBatches(digits, 32, 0, "finetune").first(40)
    fidelity = Fidelity(steps=40, batch_size=32, learning_rate=0.05, teacher=1.0)
    wrong = ((images, torch.zeros_like(labels)) for images, labels in batches)
    short_finetune(student, wrong, fidelity, Teacher(network))
    assert distance(student) < before / 2
    assert validate(student, digits)[1] > 0.5


def test_distillation_vanishes_where_the_logits_agree_and_only_there():
    logits = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    assert float(distillation_loss(logits, logits + 3.0)) == pytest.approx(0.0, abs=1e-5)
    assert float(distillation_loss(logits, logits.flip(1))) > 0.1


def test_a_teacher_remembers_named_batches_and_no_others(network):
    model = copy.deepcopy(network)
    teacher = Teacher(model)
    images = torch.rand(2, 1, 8, 8)
    named, unnamed = teacher.outputs(images, key="batch"), teacher.outputs(images)
    with torch.no_grad():
        model.linear.bias += 1.0
    assert torch.equal(teacher.outputs(images, key="batch"), named)
    assert not torch.equal(teacher.outputs(images), unnamed)


def test_a_diverging_loss_stops_with_the_step(digits):
    batches = TrainingBatches(digits, 32, 0, "finetune").first(30)
    with pytest.raises(DivergedError, match=r"became (nan|inf) at step \d"):
        short_finetune(untrained(), batches, Fidelity(steps=30, learning_rate=1e30))
