"""Full training by epochs, which can be resumed after each of them bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.errors import InputError, WeightsError
from autoprune.evaluation.batches import TrainingBatches, derive_seed
from autoprune.evaluation.checkpoint import pack, unpack
from autoprune.evaluation.descent import cosine, make_optimizer
from autoprune.evaluation.objective import objective_of
from autoprune.evaluation.placement import arranged, device_of
from autoprune.evaluation.replaying import steps_of
from autoprune.evaluation.stepping import EagerSteps
from autoprune.evaluation.teacher import Teacher

STREAM = "training"
MODEL_PREFIX = "model."
MOMENTUM_PREFIX = "momentum."

OnEpoch = Callable[[int, bytes, float], None]
"""Epochs finished, checkpoint to resume from, mean training loss of the epoch."""

OnStep = Callable[[int, int], None]
"""Steps finished, steps in all."""


@dataclass(frozen=True)
class TrainingPlan:
    """How a network is trained: SGD, warm-up, cosine decay to 0.

    Args:
        learning_rate: its peak.
        label_smoothing: in [0, 1).
        warmup: fraction of all steps in which the learning rate rises linearly.
        teacher: weight in [0, 1] of the distillation loss, where a teacher is given.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    warmup: float = 0.0
    teacher: float = 0.0

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step counted from 0, of ``steps`` in all."""
        rising = round(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * cosine((step - rising) / max(1, steps - rising))


def train(
    model: nn.Module,
    dataset: Dataset,
    plan: TrainingPlan,
    *,
    seed: int,
    teacher: nn.Module | None = None,
    resume: bytes | None = None,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
) -> nn.Module:
    """Train ``model`` in place and return it, in eval mode.

    A training resumed from any epoch's checkpoint ends with the same bits as one never
    interrupted: order, augmentation and dropout are keyed by epoch, and the checkpoint holds the
    momentum buffers.

    Args:
        model: trained in place, on the device that it is on, in the dataset's layout.
        dataset: its training split is used, nothing else.
        plan: how.
        seed: keys order, augmentation and dropout.
        teacher: the unpruned network, on the same device; used where ``plan.teacher`` is above 0.
        resume: a checkpoint that ``on_epoch`` was given, by the same plan and seed.
        on_epoch: called after every epoch.
        on_step: called after every step.

    Raises:
        DivergedError: the loss became NaN or infinite.
        InputError: the checkpoint belongs to another plan or seed.
    """
    run = _Run(model, dataset, plan, seed, teacher)
    first = run.restore(resume) if resume is not None else 0
    for epoch in range(first, plan.epochs):
        with isolated_randomness(derive_seed(seed, STREAM, "model", epoch)):
            loss = run.epoch(epoch, on_step)
        if on_epoch is not None:
            on_epoch(epoch + 1, run.checkpoint(epoch + 1), loss)
    return model.eval()


class _Run:
    """One training under way: network, optimiser, batches."""

    def __init__(
        self,
        model: nn.Module,
        dataset: Dataset,
        plan: TrainingPlan,
        seed: int,
        teacher: nn.Module | None,
    ) -> None:
        self.model = arranged(model, dataset.layout)
        self.plan = plan
        self.batches = TrainingBatches(
            dataset, plan.batch_size, seed, STREAM, device=device_of(model)
        )
        self.count = plan.epochs * self.batches.per_epoch
        self.objective = objective_of(dataset)
        self.teacher = None
        if teacher is not None and plan.teacher > 0 and self.objective.distils:
            self.teacher = Teacher(teacher, self.objective)
        self.optimizer = make_optimizer(model, plan.learning_rate, plan.momentum, plan.weight_decay)
        eager = EagerSteps(
            self.model, self.optimizer, self.objective, plan.teacher, plan.label_smoothing
        )
        self.steps = steps_of(eager, self.objective, self.count)
        self.identity = json.dumps({"plan": asdict(plan), "seed": seed}, sort_keys=True)

    def epoch(self, number: int, on_step: OnStep | None) -> float:
        """Train one epoch; its mean loss."""
        self.model.train()
        for position, (images, targets) in enumerate(self.batches.epoch(number)):
            step = number * self.batches.per_epoch + position
            taught = None if self.teacher is None else self.teacher.outputs(images, targets)
            rate = self.plan.learning_rate_at(step, self.count)
            self.steps.take(images, targets, taught, rate, step)
            if on_step is not None:
                on_step(step + 1, self.count)
        return sum(self.steps.losses()) / self.batches.per_epoch

    def checkpoint(self, epochs: int) -> bytes:
        """Weights, momentum buffers and epochs finished."""
        state = {MODEL_PREFIX + name: value for name, value in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            if self.plan.momentum:
                state[MOMENTUM_PREFIX + name] = self.optimizer.state[parameter]["momentum_buffer"]
        return pack(state, None, {"epochs": str(epochs), "identity": self.identity})

    def restore(self, checkpoint: bytes) -> int:
        """Go on from a checkpoint; returns the epochs finished."""
        state, _, extra = unpack(checkpoint)
        if extra.get("identity") != self.identity:
            raise InputError(
                f"the checkpoint belongs to the training {extra.get('identity')}, "
                f"this one is {self.identity}: start again without it"
            )
        try:
            self.model.load_state_dict(_under(MODEL_PREFIX, state))
        except RuntimeError as error:
            raise WeightsError(f"the checkpoint does not fit the network: {error}") from None
        momenta = _under(MOMENTUM_PREFIX, state)
        for name, parameter in self.model.named_parameters():
            if name in momenta:
                # In the parameter's memory layout, or the arithmetic would take another path.
                buffer = torch.empty_like(parameter).copy_(momenta[name])
                self.optimizer.state[parameter]["momentum_buffer"] = buffer
        return int(extra["epochs"])


def _under(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
