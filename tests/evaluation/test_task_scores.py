"""Networks that are no classifiers are trained and scored by what their task says."""

import math
from dataclasses import replace

import pytest
import torch
from task_cases import REGRESSION, brightness, mean_error, network
from torch import nn
from torch.nn import functional

from autoprune.data.loaders import materialise
from autoprune.data.task import Task
from autoprune.errors import ModelError, TaskError
from autoprune.evaluation.base import figure, score_base
from autoprune.evaluation.batches import TASK_BATCH, TrainingBatches
from autoprune.evaluation.contract import EvaluationRequest, Fidelity, Metric, Probe
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.finetune import short_finetune
from autoprune.evaluation.objective import objective_of
from autoprune.evaluation.part_inputs import part_shape
from autoprune.evaluation.scoring import score
from autoprune.evaluation.task_objective import TaskObjective
from autoprune.evaluation.teacher import Teacher
from autoprune.evaluation.trainability import check_trainable
from autoprune.evaluation.training import TrainingPlan, train
from autoprune.pruning.groups import find_groups

LOSS = Metric("loss")
FIDELITY = Fidelity(steps=4, batch_size=16, learning_rate=0.05, recalibration_batches=2)


def evaluator(data, metric=LOSS, criterion="l2", model=None):
    model = model or network()
    space = find_groups(model, torch.rand(2, 1, 8, 8))
    return NetworkEvaluator(model, space, data, criterion=criterion, metric=metric, seed=1)


def all_outputs(data, model=None):
    with torch.no_grad():
        return (model or network())(data.normalise(data.val.images)), data.val.targets


def test_the_loss_is_the_score_and_there_is_no_accuracy():
    data = brightness()
    scores = score(network(), data, LOSS)
    assert (
        scores.score == scores.loss == pytest.approx(float(functional.mse_loss(*all_outputs(data))))
    )
    assert scores.accuracy is None


def test_batches_of_different_sizes_count_by_their_images():
    data = brightness(count=3 * TASK_BATCH)
    assert len(data.val) % TASK_BATCH
    data = replace(data, val=data.train)
    metric = Metric("mean_error")
    assert score(network(), data, metric).score == pytest.approx(
        float(mean_error(*all_outputs(data)))
    )


def test_a_pooled_metric_sees_the_whole_split_once():
    def median_error(outputs, targets):
        seen.append(len(targets))
        return (outputs - targets).abs().median().item()

    seen = []
    task = replace(REGRESSION, metric=median_error, pooled=True)
    data = brightness(task)
    data = replace(data, val=data.train)
    assert score(network(), data, Metric("median_error")).score == median_error(*all_outputs(data))
    assert seen == [70, 70]


def test_the_base_network_is_told_by_the_tasks_metric_or_by_its_loss():
    data = brightness()
    told = score_base(network(), data, LOSS)["figure"]
    assert (told["name"], told["direction"]) == ("mean_error", "minimize")
    assert told["value"] == figure(network(), data, "val")
    without = brightness(Task(loss=functional.mse_loss))
    assert score_base(network(), without, LOSS)["figure"]["name"] == "loss"
    assert figure(network(), without, "test") is None


@pytest.mark.parametrize("criterion", ["l2", "taylor"])
def test_a_trial_is_finetuned_by_the_tasks_loss_and_scored_the_same_twice(criterion):
    data = brightness()
    request = EvaluationRequest({"0": 8, "3": 8}, FIDELITY)
    first = evaluator(data, criterion=criterion).evaluate(request)
    assert first.error is None
    assert first.accuracy is None
    assert evaluator(data, criterion=criterion).evaluate(request).score == first.score
    longer = replace(FIDELITY, steps=60)
    assert evaluator(data).evaluate(EvaluationRequest({"0": 8, "3": 8}, longer)).score < first.score


def test_a_probe_of_a_task_scores_the_masked_network():
    data = brightness()
    scorer = evaluator(data)
    full = scorer.evaluate(EvaluationRequest({"0": 16, "3": 16}, Probe(20)))
    probes = [scorer.evaluate(EvaluationRequest({"0": 16, "3": n}, Probe(20))) for n in (16, 8)]
    assert probes[0].score == full.score == score(network(), data, LOSS, limit=20).score
    assert probes[1].score != full.score


def test_arguments_of_the_network_are_what_batch_makes_of_a_batch():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, images, shift):
            return self.inner(images) + shift

    task = replace(REGRESSION, batch=lambda images, targets: (images, targets[:, :1]))
    data = brightness(task)
    outputs, targets = all_outputs(data)
    expected = functional.mse_loss(outputs + targets[:, :1], targets)
    assert score(Shifted().eval(), data, LOSS).loss == pytest.approx(float(expected))


class Detector(nn.Module):
    """It returns a dict of losses while it trains, and what it found otherwise."""

    def __init__(self):
        super().__init__()
        self.backbone, self.dropout, self.inside = network(), nn.Dropout(0.9), nn.Identity()

    def forward(self, images, targets):
        found = self.dropout(self.backbone(images))
        self.modes = (self.inside.training, self.dropout.training, self.backbone[1].training)
        if not self.training:
            return [{"found": each} for each in found]
        expected = torch.stack([target["is"] for target in targets])
        return {"square": functional.mse_loss(found, expected)}


def detector_task(**more):
    return Task(
        loss=lambda losses, targets: losses["square"],
        batch=lambda images, targets: (images, targets),
        loss_in_training_mode=True,
        part="backbone",
        **more,
    )


def detections(task):
    data = brightness()
    splits = {
        name: [(split.images, [{"is": target} for target in split.targets])]
        for name, split in data.splits.items()
    }
    return materialise(**splits, task=task)


def test_losses_of_training_mode_are_scored_with_norms_and_dropout_as_in_evaluation():
    model = Detector().eval()
    scores = score(model, detections(detector_task()), LOSS)
    assert scores.loss == pytest.approx(score(network(), brightness(), LOSS).loss)
    assert model.modes == (True, False, False)
    assert not any(module.training for module in model.modules())


def test_a_metric_gets_what_evaluation_mode_returns():
    def mean_error(found, targets):
        errors = [(f["found"] - t["is"]).abs() for f, t in zip(found, targets, strict=True)]
        return torch.stack(errors).mean()

    task = detector_task(metric=mean_error, direction="minimize", pooled=True)
    value = score(Detector().eval(), detections(task), Metric("mean_error")).score
    assert value == pytest.approx(score(network(), brightness(), Metric("mean_error")).score)


def test_a_part_is_measured_at_the_size_that_the_whole_gives_it():
    class Resizing(Detector):
        def forward(self, images, targets):
            return super().forward(functional.interpolate(images, size=(12, 10)), targets)

    task = detector_task()
    assert part_shape(Resizing(), detections(task), task, 3) == (1, 12, 10)


def test_a_part_that_is_not_called_is_refused():
    task = replace(detector_task(), part="inside")
    with pytest.raises(TaskError, match="part 'inside' of the task is not called"):
        part_shape(Detector(), detections(task), task, 2)


def test_a_model_that_stops_before_its_part_is_told():
    class Stops(Detector):
        def forward(self, images, targets):
            raise RuntimeError("no operators")

    task = detector_task()
    with pytest.raises(ModelError, match=r"before it calls its part 'backbone', .*no operators"):
        part_shape(Stops(), detections(task), task, 2)


def test_a_teacher_teaches_only_where_the_task_says_how():
    data = brightness()
    fidelity = replace(FIDELITY, teacher=1.0, steps=2)

    def weights(task):
        model, objective = network(), objective_of(replace(data, task=task))
        batches = TrainingBatches(data, 16, 0, "finetune").first(2)
        teacher = Teacher(nn.Sequential(network(), nn.Hardtanh(5.0, 6.0)), objective)
        short_finetune(model, batches, fidelity, teacher, objective)
        return model[0].weight

    alone = weights(REGRESSION)
    assert torch.equal(alone, weights(Task(loss=functional.mse_loss)))
    assert not torch.equal(alone, weights(replace(REGRESSION, distillation=functional.mse_loss)))


def test_full_training_minimises_the_tasks_loss():
    data = brightness()
    before = score(network(), data, LOSS).loss
    model = train(network(), data, TrainingPlan(epochs=3, batch_size=16), seed=0)
    assert score(model, data, LOSS).loss < before / 2


def test_targets_that_the_loss_writes_to_stay_what_they_were():
    def loss(outputs, targets):
        targets[targets < 1] = 0.0
        return functional.mse_loss(outputs, targets)

    data = brightness(Task(loss=loss))
    before = data.train.targets.clone(), data.val.targets.clone()
    assert evaluator(data).evaluate(EvaluationRequest({"0": 8, "3": 8}, FIDELITY)).error is None
    assert torch.equal(data.train.targets, before[0])
    assert torch.equal(data.val.targets, before[1])


def raising(outputs, targets):
    raise KeyError("out")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"loss": raising},
            r"the loss of the task raised KeyError: 'out', at .*:\d+; .* shape \[2, 2\] and",
        ),
        ({"loss": lambda o, t: 1.0}, "loss .* one floating-point number as a tensor, got float"),
        ({"loss": lambda o, t: (o - t) ** 2}, r"got torch.float32 of shape \[2, 2\]: take a mean"),
        ({"loss": lambda o, t: torch.tensor(math.nan)}, "the loss of the task is nan on the first"),
        (
            {"batch": lambda i, t: i},
            r"batch of the task must return the tuple .* as in \(images,\)",
        ),
        ({"batch": lambda i, t: 1 / 0}, "the batch of the task raised ZeroDivisionError"),
    ],
)
def test_functions_of_a_task_that_cannot_be_trained_by_are_named(fields, words):
    data = brightness(replace(REGRESSION, **fields))
    model = network()
    space = find_groups(model, torch.rand(2, 1, 8, 8))
    with pytest.raises(TaskError, match=words):
        check_trainable(model, space, data, {g.name: torch.arange(8) for g in space.groups})


def test_a_loss_without_gradients_is_named():
    data = brightness(
        Task(loss=lambda outputs, targets: functional.mse_loss(outputs.detach(), targets))
    )
    model = network()
    space = find_groups(model, torch.rand(2, 1, 8, 8))
    with pytest.raises(ModelError, match=r"gradients stop .* and the loss of the task, computes"):
        check_trainable(model, space, data, {g.name: torch.arange(8) for g in space.groups})


@pytest.mark.parametrize("value", [torch.zeros(3), "good", None, [1.0]])
def test_a_metric_that_is_no_number_is_described(value):
    objective = TaskObjective(replace(REGRESSION, metric=lambda outputs, targets: value))
    with pytest.raises(TaskError, match="the metric of the task must return one number, got"):
        objective.metric(torch.zeros(2), torch.zeros(2))


def test_outputs_that_cannot_be_pooled_are_told():
    task = replace(REGRESSION, pooled=True, metric=lambda outputs, targets: 0.0)
    data = brightness(replace(task, loss=lambda outputs, targets: outputs))

    class Scalar(nn.Module):
        def forward(self, images):
            return images.mean()

    with pytest.raises(TaskError, match=r"is pooled, .*cannot be joined: .*leave pooled out"):
        score(Scalar(), data, Metric("metric"))
