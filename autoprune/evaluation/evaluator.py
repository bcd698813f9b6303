"""Scores schedules: slice, reconstruct, finetune shortly, recalibrate, validate; or probe."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable

import torch
from torch import nn

from autoprune.data.dataset import Dataset
from autoprune.data.seeding import isolated_randomness
from autoprune.errors import AutopruneError
from autoprune.evaluation.batches import Batch, TrainingBatches, derive_seed
from autoprune.evaluation.checkpoint import pack, unpack
from autoprune.evaluation.contract import (
    EvaluationRequest,
    EvaluationResult,
    Fidelity,
    Metric,
    Probe,
)
from autoprune.evaluation.finetune import short_finetune
from autoprune.evaluation.held_batches import HeldBatches
from autoprune.evaluation.losses import DivergedError
from autoprune.evaluation.metrics import find_metric
from autoprune.evaluation.moments import measure_moments
from autoprune.evaluation.objective import objective_of
from autoprune.evaluation.placement import CPU, arranged
from autoprune.evaluation.probing import Prober
from autoprune.evaluation.ranking import Rankings
from autoprune.evaluation.recalibration import recalibrate
from autoprune.evaluation.scoring import Scores, score
from autoprune.evaluation.teacher import Teacher
from autoprune.pruning.reconstruction import Moments, reconstruct
from autoprune.pruning.space import Kept, SearchSpace
from autoprune.pruning.surgery import State, expand, fit, prune
from autoprune.user_code import raised


class NetworkEvaluator:
    """Implements :class:`~autoprune.evaluation.contract.Evaluator` for real networks.

    A score depends on the request and on what is given here, never on earlier requests, on the
    process or on its global random state.

    Args:
        model: unpruned, with the base weights; it is copied.
        space: the groups whose widths a request names.
        criterion: what ranks the units inside a group.
        metric: what the score is.
        seed: of the job; keys batch order, augmentation and dropout.
        device: where networks are trained and scored; they are pruned on the CPU.
    """

    def __init__(
        self,
        model: nn.Module,
        space: SearchSpace,
        dataset: Dataset,
        *,
        criterion: str,
        metric: Metric,
        seed: int,
        device: torch.device = CPU,
    ) -> None:
        find_metric(metric, dataset.task)
        self._base = copy.deepcopy(model).eval()
        self._state = {name: value.detach() for name, value in self._base.state_dict().items()}
        self._space = space
        self._dataset = dataset
        self._metric = metric
        self._seed = seed
        self._device = device
        self._objective = objective_of(dataset)
        teacher = arranged(copy.deepcopy(self._base), dataset.layout, device)
        self._teacher = Teacher(teacher, self._objective)
        self._held = HeldBatches()
        self._moments: dict[tuple[bytes | None, int, int], Moments] = {}
        self._rankings = Rankings(self._base, space, dataset, criterion, seed, device)
        self._prober = Prober(
            self._base, space, dataset, self._rankings.base, metric=metric, device=device
        )

    def evaluate(self, request: EvaluationRequest) -> EvaluationResult:
        """Score one schedule; an exception or NaN becomes a result with an error."""
        started = time.perf_counter()
        try:
            with isolated_randomness(derive_seed(self._seed, "model")):
                scores, weights = self._evaluate(request)
        except Exception as error:  # a user's model may raise anything; the job goes on
            return EvaluationResult(
                None, None, None, time.perf_counter() - started, error=_verdict(error)
            )
        return EvaluationResult(
            scores.score,
            scores.loss,
            scores.accuracy,
            time.perf_counter() - started,
            weights=weights,
            figure=scores.figure,
        )

    def _evaluate(self, request: EvaluationRequest) -> tuple[Scores, bytes | None]:
        """The scores, and the weights where they are wanted."""
        fidelity = request.fidelity
        if isinstance(fidelity, Probe):
            return _finite(self._prober.score(request.widths, fidelity)), None
        self._prober.forget()  # a trial needs the memory
        model, kept = self._prune(request, fidelity)
        self._fit(model, fidelity)
        limit = fidelity.validation_images
        scores = _finite(score(model, self._dataset, self._metric, limit=limit, figure=True))
        return scores, pack(model.state_dict(), kept) if request.want_weights else None

    def _prune(self, request: EvaluationRequest, fidelity: Fidelity) -> tuple[nn.Module, Kept]:
        state: State = self._state
        parent: Kept | None = None
        if request.start is not None:
            state, parent, _ = unpack(request.start)
            if parent is not None:
                state = expand(state, self._state, self._space, parent)
            ranking = self._rankings.parent(request.start, state)
        else:
            ranking = self._rankings.base()
        # Refuses widths above the parent's: a start may only be pruned further.
        kept = ranking.choose(request.widths, within=parent)
        if fidelity.reconstruction_batches:
            key = request.start, fidelity.reconstruction_batches, fidelity.batch_size
            state = reconstruct(state, self._space, kept, self._measured(key, state, fidelity))
        model = prune(self._base, self._space, kept, state)
        return arranged(model, self._dataset.layout, self._device), kept

    def _measured(
        self, key: tuple[bytes | None, int, int], state: State, fidelity: Fidelity
    ) -> Moments:
        """Second moments with these weights, which the key names; kept for the next candidate."""
        if key not in self._moments:
            model = arranged(fit(self._base, state), self._dataset.layout, self._device)
            of_the_base = {key: m for key, m in self._moments.items() if key[0] is None}
            batches = self._first("reconstruction", fidelity, fidelity.reconstruction_batches)
            measured = measure_moments(model, self._space, batches, self._objective)
            self._moments = {**of_the_base, key: measured}  # those of one parent at most
        return self._moments[key]

    def _fit(self, model: nn.Module, fidelity: Fidelity) -> None:
        """Finetune, then recalibrate once.

        Recalibrating before the finetune as well would change no bit: in training mode batch norm
        uses the statistics of the batch, and those measured before are reset afterwards.
        Statistics are measured on augmented images, as in training: on plain ones the unpruned
        ResNet-20 loses three points on CIFAR-10, whose crops have black borders in training.
        """
        if fidelity.steps:
            batches = self._first("finetune", fidelity, fidelity.steps)
            short_finetune(model, batches, fidelity, self._teacher, self._objective)
        if fidelity.recalibration_batches:
            batches = self._first("recalibration", fidelity, fidelity.recalibration_batches)
            recalibrate(model, batches, self._objective)

    def _first(self, stream: str, fidelity: Fidelity, count: int) -> Iterable[Batch]:
        """The first batches of a stream: all candidates have the same."""
        size = fidelity.batch_size
        batches = TrainingBatches(self._dataset, size, self._seed, stream, device=self._device)
        return self._held.first(batches, count)


def _finite(scores: Scores) -> Scores:
    if not (math.isfinite(scores.score) and math.isfinite(scores.loss)):
        raise DivergedError(f"the validation loss is {scores.loss} and the score {scores.score}")
    return scores


def _verdict(error: Exception) -> str:
    """One line; our own errors speak for themselves, others need their type and place."""
    own = isinstance(error, AutopruneError)
    return " ".join((str(error) if own else raised(error)).split()) or "no message"
