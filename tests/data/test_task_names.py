"""A task says what is wrong with it, is found by its name, and is told from others."""

import functools
import pickle
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from autoprune.data.registry import load_data
from autoprune.data.task import Task
from autoprune.data.task_names import load_task, task_identity
from autoprune.errors import InputError, TaskError

SOURCE = """
import autoprune
from torch.nn import functional

def error(outputs, targets):
    return (outputs - targets).abs().mean()

task = autoprune.Task(loss=functional.mse_loss, metric=error, direction="minimize")
no_task = error
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_task.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"loss": None}, "loss of a task must be a function, got None"),
        ({"metric": 3, "direction": "minimize"}, "metric of a task must be a function, got 3"),
        ({"metric": functional.l1_loss}, "the direction is missing"),
        ({"direction": "maximize"}, "the metric is missing"),
        ({"metric": functional.l1_loss, "direction": "up"}, "'minimize' or 'maximize', got 'up'"),
        ({"part": 3}, "name of a submodule, got 3"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(fields, words):
    with pytest.raises(TaskError, match=words):
        Task(**{"loss": functional.mse_loss, **fields})


def test_a_metric_goes_by_the_name_of_its_function():
    def mean_iou(outputs, targets):
        return 0.0

    def named(metric):
        return Task(loss=functional.mse_loss, metric=metric, direction="maximize").metric_name

    assert named(mean_iou) == "mean_iou"
    assert named(lambda outputs, targets: 0.0) == "metric"
    assert Task(loss=functional.mse_loss).metric_name is None


def test_a_task_is_loaded_from_a_file_and_travels_by_its_name(file: Path):
    task = load_task(f"{file}:task")
    assert task.metric_name == "error"
    again = pickle.loads(pickle.dumps(task))  # noqa: S301 - made here
    assert (again.name, task_identity(again)) == (task.name, task_identity(task))


def test_names_that_are_no_task_are_refused(file: Path):
    with pytest.raises(
        TaskError, match=r"must be an autoprune.Task, got function: write no_task ="
    ):
        load_task(f"{file}:no_task")
    with pytest.raises(InputError, match=r"has no 'other'; it has: .*task"):
        load_task(f"{file}:other")
    with pytest.raises(InputError, match="there is no file"):
        load_task(f"{file.parent}/none.py:task")
    with pytest.raises(InputError, match="unknown task 'segmentation'"):
        load_task("segmentation")


def test_an_edited_file_is_another_task(file: Path):
    before = task_identity(load_task(f"{file}:task"))
    assert task_identity(load_task(f"{file}:task")) == before
    file.write_text(SOURCE.replace("abs()", "square()"))
    assert task_identity(load_task(f"{file}:task")) != before


def test_tasks_of_functions_are_told_apart_by_functions_and_settings():
    tasks = [
        Task(loss=functional.mse_loss),
        Task(loss=functional.l1_loss),
        Task(loss=functools.partial(functional.mse_loss, reduction="mean"), part="backbone"),
        Task(loss=functional.mse_loss, loss_in_training_mode=True),
        Task(loss=lambda outputs, targets: outputs.sum()),
    ]
    assert len({str(task_identity(task)) for task in tasks}) == len(tasks)


def test_named_data_can_be_for_a_task_of_ones_own():
    task = Task(loss=functional.mse_loss)
    digits = load_data("digits", task=task)
    assert digits.task is task
    assert digits.digest == load_data("digits").digest
    assert torch.equal(digits.train.targets, digits.train.labels)
