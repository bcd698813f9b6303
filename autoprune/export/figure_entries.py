"""What ``schedule.json`` says of a task's network, in place of accuracies."""

from __future__ import annotations

from typing import Literal

from autoprune.export.latency_entries import Entry


class FigureOfSplit(Entry):
    """Value of a task's figure; None where it was not evaluated, or is no finite number.

    Args:
        before: of the unpruned network.
        after_search: with the weights the search scored, before the final finetune.
        after: of the network in the bundle.
    """

    before: float | None
    after_search: float | None
    after: float | None


class TaskFigure(Entry):
    """What is told of a network where there is no accuracy: the task's metric, else its loss.

    Args:
        task: name of the task; None where it was given in Python.
        name, direction: of the metric.
        validation, test: None where the data has no such split.
    """

    task: str | None
    name: str
    direction: Literal["minimize", "maximize"]
    validation: FigureOfSplit | None
    test: FigureOfSplit | None
