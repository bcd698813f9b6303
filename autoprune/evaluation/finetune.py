"""The short finetune behind one score."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from autoprune.evaluation.batches import Batch
from autoprune.evaluation.contract import Fidelity
from autoprune.evaluation.descent import cosine, make_optimizer
from autoprune.evaluation.objective import CLASSES, Objective
from autoprune.evaluation.replaying import steps_of
from autoprune.evaluation.stepping import EagerSteps
from autoprune.evaluation.teacher import Teacher


def short_finetune(
    model: nn.Module,
    batches: Iterable[Batch],
    fidelity: Fidelity,
    teacher: Teacher | None = None,
    objective: Objective = CLASSES,
) -> None:
    """Train ``model`` in place, the learning rate falling to 0 over ``fidelity.steps``.

    Args:
        model: pruned; in eval mode afterwards.
        batches: one per step, the same for every candidate of a job.
        fidelity: steps and optimiser.
        teacher: used where ``fidelity.teacher`` is above 0, and the objective takes one.
        objective: whose loss is minimised.

    Raises:
        DivergedError: the loss became NaN or infinite.
    """
    optimizer = make_optimizer(
        model, fidelity.learning_rate, fidelity.momentum, fidelity.weight_decay
    )
    teaches = teacher if fidelity.teacher > 0 and objective.distils else None
    eager = EagerSteps(model, optimizer, objective, fidelity.teacher)
    steps = steps_of(eager, objective, fidelity.steps)
    model.train()
    for step, (images, targets) in enumerate(batches):
        taught = None
        if teaches is not None:
            taught = teaches.outputs(images, targets, (fidelity.batch_size, step))
        rate = fidelity.learning_rate * cosine(step / fidelity.steps)
        steps.take(images, targets, taught, rate, step)
    steps.losses()
    model.eval()
