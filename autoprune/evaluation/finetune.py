"""The short finetune behind one score."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from autoprune.evaluation.batches import Batch
from autoprune.evaluation.contract import Fidelity
from autoprune.evaluation.descent import cosine, descend, make_optimizer
from autoprune.evaluation.losses import training_loss
from autoprune.evaluation.teacher import Teacher


def short_finetune(
    model: nn.Module,
    batches: Iterable[Batch],
    fidelity: Fidelity,
    teacher: Teacher | None = None,
) -> None:
    """Train ``model`` in place, the learning rate falling to 0 over ``fidelity.steps``.

    Args:
        model: pruned; in eval mode afterwards.
        batches: one per step, the same for every candidate of a job.
        fidelity: steps and optimiser.
        teacher: used where ``fidelity.teacher`` is above 0.

    Raises:
        DivergedError: the loss became NaN or infinite.
    """
    optimizer = make_optimizer(
        model, fidelity.learning_rate, fidelity.momentum, fidelity.weight_decay
    )
    taught = teacher if fidelity.teacher > 0 else None
    model.train()
    for step, (images, labels) in enumerate(batches):
        soft = taught.logits(images, (fidelity.batch_size, step)) if taught is not None else None
        loss = training_loss(model(images), labels, soft, fidelity.teacher)
        descend(optimizer, fidelity.learning_rate * cosine(step / fidelity.steps), loss, step)
    model.eval()
