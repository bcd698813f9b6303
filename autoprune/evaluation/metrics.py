"""What trials are ranked by: the losses and scores there are, and functions of the user's."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from autoprune.data.factories import import_reference, is_reference
from autoprune.data.task import Task
from autoprune.errors import InputError, UnknownNameError
from autoprune.evaluation.batches import ScoringBatches
from autoprune.evaluation.contract import Metric
from autoprune.spec import METRICS, Direction, MetricSpec

LOSS = "loss"
REFERENCES = ("package.module:function", "path/file.py:function")
MetricFunction = Callable[[nn.Module, ScoringBatches], float]
"""A user's metric: network in eval mode, batches of (images, targets) -> score."""


def metric_of(spec: MetricSpec, task: Task | None) -> Metric:
    """What a job's trials are ranked by.

    Where there are no classes the default is the task's loss, and the task's own metric goes by
    the name of its function, in the task's direction.

    Raises:
        UnknownNameError: no such score, and nothing that can be imported.
        InputError: a direction that is missing or turned round, or a score of classes.
    """
    if task is None:
        _check_known(spec.name, METRICS)
        return Metric(spec.name, spec.best)
    known = _of_task(task)
    name = LOSS if spec.name == MetricSpec().name else spec.name
    if name in known:
        if spec.direction not in (None, known[name]):
            raise InputError(
                f"the better {name} of {task.says} is known: {known[name]}; leave the direction out"
            )
        return Metric(name, known[name])
    if name in METRICS:
        raise InputError(
            f"metric {name!r} is of classes, and {task.says} has none: there is "
            f"{', '.join([*known, *REFERENCES])}"
        )
    _check_known(name, known)
    return Metric(name, spec.best)


def find_metric(metric: Metric, task: Task | None = None) -> MetricFunction | None:
    """The user's function behind a metric; None for those that need none.

    Raises:
        UnknownNameError: neither one of those nor something that can be imported.
    """
    known = METRICS if task is None else _of_task(task)
    _check_known(metric.name, known)
    if metric.name in known:
        return None
    function: MetricFunction = import_reference(metric.name)
    return function


def own_metric(task: Task) -> Metric:
    """What is told of a network where there is no accuracy: the task's metric, else its loss."""
    name, direction = list(_of_task(task).items())[-1]
    return Metric(name, direction)


def _of_task(task: Task) -> dict[str, Direction]:
    """Scores that a task has by itself, and which way they are better."""
    known: dict[str, Direction] = {LOSS: "minimize"}
    if task.metric_name is not None and task.direction is not None:
        known[task.metric_name] = task.direction
    return known


def _check_known(name: str, known: Mapping[str, Direction]) -> None:
    if name not in known and not is_reference(name):
        raise UnknownNameError("metric", name, [*known, *REFERENCES])


def metric_code(metric: Metric, task: Task | None = None) -> str | None:
    """Hash of the file a user's metric is defined in, so that an edited one is another metric."""
    function = find_metric(metric, task)
    if function is None:
        return None
    source = inspect.getsourcefile(inspect.unwrap(function))
    return None if source is None else hashlib.sha256(Path(source).read_bytes()).hexdigest()
