"""What a network puts out in evaluation mode alone: refused, warned of, or none of our business."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tiny_network import TinyNetwork
from torch import nn
from torch.nn import functional

from autoprune.data.dataset import Dataset
from autoprune.data.task import Task
from autoprune.errors import ModelError
from autoprune.evaluation.both_modes import compare_modes

Ending = Callable[[torch.Tensor, bool], torch.Tensor]


class Told(TinyNetwork):
    """Class scores, and then what is told of them by mode."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self.ending = ending

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ending(super().forward(x), self.training)


def softmax_at_the_end(scores: torch.Tensor, training: bool) -> torch.Tensor:
    return scores if training else scores.softmax(1)


def softmax_after_noise(scores: torch.Tensor, training: bool) -> torch.Tensor:
    return functional.dropout(scores, 0.5) if training else scores.softmax(1)


def sigmoid_at_the_end(scores: torch.Tensor, training: bool) -> torch.Tensor:
    return scores if training else scores.sigmoid()


def same(scores: torch.Tensor, training: bool) -> torch.Tensor:
    return scores


def softmax_in_both(scores: torch.Tensor, training: bool) -> torch.Tensor:
    return scores.softmax(1)


def log_softmax_at_the_end(scores: torch.Tensor, training: bool) -> torch.Tensor:
    """Cross-entropy does not see it."""
    return scores if training else scores.log_softmax(1)


def noise(scores: torch.Tensor, training: bool) -> torch.Tensor:
    return functional.dropout(scores, 0.5, training)


def layer_drop(scores: torch.Tensor, training: bool) -> torch.Tensor:
    kept = torch.rand(len(scores), 1) < 0.8
    return scores * kept / 0.8 if training else scores


def rounding(scores: torch.Tensor, training: bool) -> torch.Tensor:
    return scores if training else scores * (1.0 + 1e-6)


def ending(how: Ending) -> nn.Module:
    torch.manual_seed(3)
    return Told(how).eval()


@pytest.mark.parametrize("how", [softmax_at_the_end, softmax_after_noise])
def test_probabilities_in_evaluation_mode_alone_are_refused(how: Ending, digits: Dataset) -> None:
    with pytest.raises(ModelError, match="probabilities in evaluation mode") as refusal:
        compare_modes(ending(how), digits)
    assert "the same in both modes" in str(refusal.value)
    assert "softmax outside of the network" in str(refusal.value)


def test_another_difference_is_warned_of(digits: Dataset) -> None:
    told = compare_modes(ending(sigmoid_at_the_end), digits)
    assert told is not None
    assert "self.training" in told


@pytest.mark.parametrize(
    "how", [same, softmax_in_both, log_softmax_at_the_end, noise, layer_drop, rounding]
)
def test_chance_rounding_and_what_the_loss_does_not_see_are_no_difference(
    how: Ending, digits: Dataset
) -> None:
    assert compare_modes(ending(how), digits) is None


def test_a_tasks_network_is_warned_of_unless_its_task_says_that_it_differs(digits: Dataset) -> None:
    model = ending(softmax_at_the_end)
    task = Task(loss=functional.cross_entropy)
    told = compare_modes(model, replace(digits, task=task))
    assert told is not None
    assert "loss_in_training_mode of the task" in told
    knowing = replace(task, loss_in_training_mode=True)
    assert compare_modes(model, replace(digits, task=knowing)) is None


def test_outputs_of_another_form_and_passes_that_fail_are_told_elsewhere(digits: Dataset) -> None:
    def pooled(scores: torch.Tensor, training: bool) -> torch.Tensor:
        return scores if training else scores.mean(1)

    def failing(scores: torch.Tensor, training: bool) -> torch.Tensor:
        return scores.view(7) if training else scores

    assert compare_modes(ending(pooled), digits) is None
    assert compare_modes(ending(failing), digits) is None
