"""How to make a network's evaluator in another process."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from autoprune.cache import cache_folder
from autoprune.data.dataset import Dataset
from autoprune.data.registry import load_data
from autoprune.data.task import Task
from autoprune.errors import EnvironmentMismatchError, ModelError
from autoprune.evaluation.checkpoint import unpack
from autoprune.evaluation.contract import Evaluator, Metric
from autoprune.evaluation.environment import (
    environment_fingerprint,
    prepare_training,
    training_device,
)
from autoprune.evaluation.evaluator import NetworkEvaluator
from autoprune.evaluation.recorded_outputs import Recorded, outputs_differ
from autoprune.models.registry import build_model
from autoprune.pruning.parts import part_of
from autoprune.pruning.space import SearchSpace


@dataclass(frozen=True)
class EvaluatorRecipe:
    """Called in the process that is to evaluate; sends names where it can, objects where it must.

    Args:
        model: a name to build it by, or the module itself.
        weights: packed base weights.
        data: a name to load it by, or the dataset itself.
        threads: training threads of that process.
        device: where it trains and scores.
        environment: the fingerprint scores are filed under; a process with another one is refused.
            None accepts any.
        task: of data that is named; a dataset brings its own.
        part: name of the submodule that outputs were recorded of; empty for the whole network.
        outputs: what the unpruned network puts out; a process that builds another one by the same
            name is refused. None accepts any.
        layout: of data that is named, as the network takes it; a dataset brings its own.
    """

    model: str | torch.nn.Module
    classes: int
    input_shape: tuple[int, ...]
    weights: bytes
    space: SearchSpace
    data: str | Dataset
    criterion: str
    metric: Metric
    seed: int
    threads: int
    environment: str | None = None
    task: Task | None = None
    part: str = ""
    outputs: Recorded | None = None
    device: str = "cpu"
    layout: torch.memory_format = torch.channels_last

    def __call__(self) -> Evaluator:
        """Load everything and make the evaluator."""
        prepare_training(self.threads, self.device)
        here = environment_fingerprint(self.threads, self.device)
        if self.environment not in (None, here):
            raise EnvironmentMismatchError(
                f"this worker's environment is {here!r}, the job's is {self.environment!r}: its "
                "scores would not be the same to the bit. Take this machine out of the cluster, or "
                "install the same versions"
            )
        data = self.data
        if isinstance(data, str):
            loaded = load_data(data, cache_dir=cache_folder(), task=self.task)
            data = loaded.in_layout(self.layout)
        model = self.model
        if isinstance(model, str):
            model = build_model(model, classes=self.classes, input_shape=self.input_shape)
        state, _, _ = unpack(self.weights)
        model.load_state_dict(dict(state))
        self._check_code(model)
        return NetworkEvaluator(
            model,
            self.space,
            data,
            criterion=self.criterion,
            metric=self.metric,
            seed=self.seed,
            device=training_device(self.device),
        )

    def _check_code(self, model: torch.nn.Module) -> None:
        """An object that is sent is what it was; a name may mean another file by now, or here."""
        if self.outputs is None or not isinstance(self.model, str):
            return
        differ = outputs_differ(part_of(model, self.part), self.outputs)
        if differ is not None:
            raise ModelError(
                f"this worker builds another {self.model} than the job was submitted with, though "
                f"its weights are the same: {differ}. Its code was edited: restore it here and "
                "resume, or start a new job"
            )
