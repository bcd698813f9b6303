"""What ``schedule.json`` says of a task's network, and of a finetune that was taken back."""

from __future__ import annotations

from typing import Literal

from autoprune.export.latency_entries import Entry

ACCURACY = "accuracy"


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


class UndoneFinetune(Entry):
    """A final finetune that made the network worse on the validation images: it was taken back.

    Args:
        figure: what got worse, ``accuracy`` or the name of a task's figure.
        before: with the weights the search scored, which are those of the bundle.
        after: of the finetuned network; None where it was no finite number.
        epochs, learning_rate: of that finetune.
    """

    figure: str
    before: float
    after: float | None
    epochs: int
    learning_rate: float

    @property
    def says(self) -> str:
        """What happened and what may help."""
        change = f"{self.figure} {self._shown(self.before)} -> {self._shown(self.after)}"
        return (
            f"the final finetune (epochs: {self.epochs}, learning rate: {self.learning_rate:g}) "
            f"made the network worse on the validation images ({change}), so the network is "
            "exported as it was before. A lower "
            "--finetune-learning-rate or more --finetune-epochs may help: give them to "
            "'autoprune resume', which finetunes it again"
        )

    def _shown(self, value: float | None) -> str:
        if value is None:
            return "not finite"
        return f"{value:.2%}" if self.figure == ACCURACY else f"{value:.4g}"
